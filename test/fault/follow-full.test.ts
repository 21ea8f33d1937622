/**
 * A disk of a stream is full: the error names this, no change is half applied, and the same command continues once
 * there is free space.
 */
import { chownSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makePlace, perform, placeOn, type Place } from '../support/copy-systems.ts'
import { stageOf, startFollowServer, type Stage } from '../support/follow-stage.ts'
import { MOUNT_MISSING, smallDisk, type Disk } from '../support/small-disk.ts'
import { POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'
import { startCopy } from './copy-kit.ts'

const MB = 2 ** 20
const ROOMY = 200 * MB
/** Rows of 4 kB that no system can compress. */
const ROWS = 4000
const INSERT = `INSERT INTO t SELECT i, (SELECT string_agg(md5(i || '-' || j), '') FROM generate_series(1, 128) j) FROM generate_series(101, ${ROWS}) i`

let server: PostgresServer

async function fullStage(to: Place): Promise<Stage> {
  const tables = [
    'CREATE TABLE t (id int PRIMARY KEY, v text)',
    "INSERT INTO t SELECT i, 'v' FROM generate_series(1, 100) i",
  ]
  return await stageOf(server, tables, ['t'], 100, to)
}

/** Runs the stream in its own process: space that it reserved is free once it has ended. */
async function follows({ copy }: Stage) {
  return (await startCopy({ ...copy, follow: { until: 'caught-up' } }).ended).finished
}

/** Ids and lengths of rows, because systems sort texts differently. */
async function rowsOf({ source, target }: Stage): Promise<readonly unknown[]> {
  const query = 'SELECT id, length(v) FROM t ORDER BY id'
  return [await source.rows(query), await target.rows(query)]
}

async function expectFullThenEqual(one: Stage, disk: Disk, room: number): Promise<void> {
  expect(await follows(one)).toMatchObject({ exitCode: 0 })
  const before = await one.target.rows('SELECT count(*) FROM t')
  disk.resize(disk.used() + room)
  await one.source.sql(INSERT, 'UPDATE t SET v = v || 1 WHERE id < 50')
  const full = await follows(one)
  expect(full).toMatchObject({ exitCode: 4, status: 'failed', error: { code: 'NO_SPACE' } })
  expect(full?.error?.hint).toBeTruthy()
  disk.resize(disk.used() + ROOMY)
  // A transaction of the source is applied completely or not at all.
  expect(await one.target.rows('SELECT count(*) FROM t')).toEqual(before)
  expect(await follows(one)).toMatchObject({ exitCode: 0 })
  const equal = await perform({ ...one.copy, follow: { until: 'equal' } })
  expect(equal.finished, JSON.stringify(equal.finished.error)).toMatchObject({ exitCode: 0 })
  const [left, right] = await rowsOf(one)
  expect(right).toEqual(left)
}

describe.skipIf(MOUNT_MISSING !== '' || !POSTGRES_OWN)(`a full disk ${MOUNT_MISSING}`, { timeout: 90_000 }, () => {
  let folder = ''
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-follow-full-'))
    server = await startFollowServer()
  })
  afterAll(async () => {
    await server[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true, force: true })
  })

  test.each(['sqlite', 'duckdb'] as const)('of a target file of %s: the stream resumes', async (system) => {
    using disk = smallDisk(ROOMY)
    await expectFullThenEqual(await fullStage(await makePlace(system, disk.path)), disk, 4 * MB)
  })

  test('of the tables of a PostgreSQL target: the stream resumes', async () => {
    await using own = await startFollowServer()
    using disk = smallDisk(ROOMY)
    const tables = join(disk.path, 'tables')
    mkdirSync(tables)
    const { uid, gid } = statSync(own.dataFolder)
    chownSync(tables, uid, gid)
    const [other, target] = [await placeOn('postgresql', own.url()), await placeOn('postgresql', own.url())]
    await other.sql(
      `CREATE TABLESPACE small LOCATION '${tables}'`,
      `ALTER DATABASE ${new URL(target.url).pathname.slice(1)} SET TABLESPACE small`,
    )
    await expectFullThenEqual(await fullStage(target), disk, 4 * MB)
  })

  test('of a whole PostgreSQL target, whose server ends: the stream resumes', async () => {
    using disk = smallDisk(400 * MB)
    const crowded = await startFollowServer([], disk.path)
    try {
      await placeOn('postgresql', crowded.url())
      const one = await fullStage(await placeOn('postgresql', `${crowded.url()}?retry_seconds=1&connect_timeout=2`))
      expect(await follows(one)).toMatchObject({ exitCode: 0 })
      disk.resize(disk.used() + 4 * MB)
      const child = startCopy(one.copy)
      await child.until('follow.progress')
      await one.source.sql(INSERT)
      // The stream logs this and retries while it runs, or it ends with a hint.
      const how = await Promise.race([child.until('log').catch(() => null), child.ended])
      if (how !== null && 'finished' in how) {
        const error = { code: expect.stringMatching(/^(?:NO_SPACE|CONNECT_FAILED|CONNECTION_LOST)$/) as string }
        expect(how.finished).toMatchObject({ status: 'failed', error })
      }
      disk.resize(400 * MB)
      await crowded.kill9()
      await crowded.restart()
      child.process.kill('SIGKILL')
      await child.ended
      expect(await follows(one)).toMatchObject({ exitCode: 0 })
      const [left, right] = await rowsOf(one)
      expect(right).toEqual(left)
    } finally {
      await crowded[Symbol.asyncDispose]()
    }
  })

  test('of the WAL of the source, which the slot retains: the stream resumes', async () => {
    using disk = smallDisk(600 * MB)
    const crowded = await startFollowServer(['max_wal_size=64MB', 'min_wal_size=32MB'], disk.path)
    try {
      await placeOn('postgresql', crowded.url())
      const tables = ['CREATE TABLE t (id int PRIMARY KEY, v text)', 'CREATE TABLE noise (v text)']
      const one = await stageOf(crowded, tables, ['t'], 100, await placeOn('postgresql', server.url()))
      expect(await follows(one)).toMatchObject({ exitCode: 0 })
      await one.source.sql('INSERT INTO t VALUES (1, $$told$$)')
      disk.resize(disk.used() + 60 * MB)
      const noise = async (): Promise<string> => {
        for (;;) {
          const failed = await one.source
            .sql(
              "INSERT INTO noise SELECT repeat('x', 2000) FROM generate_series(1, 4000)",
              'TRUNCATE noise',
              'CHECKPOINT',
            )
            .then(() => '', String)
          if (failed !== '') return failed
        }
      }
      expect(await noise()).toMatch(/space|terminat|ECONN|recovery|starting up/i)
      const full = await follows({
        ...one,
        copy: { ...one.copy, from: `${one.copy.from}?retry_seconds=1&connect_timeout=2` },
      })
      // Either it succeeds, and the WAL is freed, or it reports the cause.
      if (full?.exitCode !== 0) expect(full?.error).toMatchObject({ code: expect.stringMatching(/^(?:NO_SPACE|SOURCE_IO|CONNECT_FAILED|CONNECTION_LOST)$/) as string, hint: expect.any(String) as string }) // prettier-ignore
      disk.resize(600 * MB)
      await crowded.kill9()
      await crowded.restart()
      expect(await follows(one)).toMatchObject({ exitCode: 0 })
      const [left, right] = await rowsOf(one)
      expect(right).toEqual(left)
    } finally {
      await crowded[Symbol.asyncDispose]()
    }
  })
})
