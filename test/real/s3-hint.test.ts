/**
 * Logs of a bucket that are listed from their last checkpoint on: few requests, and always the same result as with the
 * full listing.
 */
import { existsSync, readFileSync } from 'node:fs'
import { someOf } from '../support/backend.ts'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { ListedLog, type LogReach } from '../../src/delta/listed-log.ts'
import { commitName, versionDigits } from '../../src/delta/log-path.ts'
import { logHistory, segmentAt } from '../../src/delta/segment.ts'
import { DeltaTable } from '../../src/delta/table.ts'
import type { LogStore } from '../../src/model/lake/log-store.ts'
import { SluiceError } from '../../src/shared/errors.ts'
import { RETRIES, S3Client } from '../../src/stores/s3/client.ts'
import { openS3Log } from '../../src/stores/s3/index.ts'
import { temporaryFolder } from '../support/catalog-kit.ts'
import { S3_AVAILABLE, S3_MISSING, startS3, type S3Server } from '../support/servers/s3.ts'
import { expectedTables, folderOf, HAVE_TABLES, NEVER, parquet } from '../tables/shared-tables.ts'
import { add, checkpointSql, lines, METADATA, PROTOCOL, putParquet } from '../unit/delta-fixtures.ts'

const COMMITS = 1_200
const HINTED = 1_190
const OLDER = 1_180
/** So that no test must read a thousand commits to get below the older one. */
const EARLY = 1_150
const HINT = JSON.stringify({ version: HINTED, size: HINTED + 2 })
const MANIFEST = { checkpointMetadata: { version: HINTED } }
const V2_NAME = `${versionDigits(HINTED)}.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json`

const checkpointName = (version: number): string => `${versionDigits(version)}.checkpoint.parquet`

/** All data for a reader of the newest version, as text; an error by its code and message. */
async function reported(log: LogStore, reach: LogReach): Promise<string> {
  try {
    const table = await DeltaTable.open(log, parquet, NEVER, reach)
    const snapshot = await table.snapshot({}, { allowRefused: true })
    const { protocol, metadata, txns, domains } = await snapshot.state(NEVER)
    const said: string[] = [JSON.stringify([snapshot.version, protocol, metadata, [...txns], [...domains]])]
    for await (const block of snapshot.files({ signal: NEVER }))
      for (const { path, dvId, raw, addedVersion } of block) said.push(`add ${path} ${dvId} ${addedVersion} ${raw}`)
    for await (const block of snapshot.tombstones(NEVER))
      for (const { path, dvId, raw } of block) said.push(`remove ${path} ${dvId} ${raw}`)
    const { files, bytes, rows } = await snapshot.counts(NEVER)
    const { checkpoint, commits } = snapshot.segment
    const names = [...(checkpoint?.files ?? []), ...commits].map(({ name }) => name)
    return [...said, `${files} ${bytes} ${rows}`, ...names, ...table.notes].join('\n')
  } catch (error) {
    // DuckDB names the local copy that it was given.
    if (error instanceof SluiceError)
      return `${error.code} ${error.message.replace(/'[^']*object\.parquet'/, 'the copy')}`
    throw error
  }
}

/** The files that a reader of the newest version would read, and the versions of the history. */
async function segmentOf(log: LogStore, reach: LogReach): Promise<unknown> {
  const listed = await ListedLog.list(log, reach, NEVER)
  const { checkpoint, commits } = segmentAt(await listed.for(undefined, new Set(), NEVER))
  return [listed.known.latest, checkpoint, commits, logHistory(await listed.whole(NEVER))]
}

describe.skipIf(!S3_AVAILABLE)(
  `the last checkpoint of a log in a bucket${S3_MISSING && ` (skipped: ${S3_MISSING})`}`,
  () => {
    let server: S3Server
    const open = (prefix: string): LogStore =>
      openS3Log(server.url(encodeURI(prefix)), { client: new S3Client(server.env, { ...RETRIES, baseMs: 5 }) })
    const put = (name: string, bytes: Buffer | string): void => server.put(`long/_delta_log/${name}`, bytes)
    let checkpoints: Record<number, Buffer>

    beforeAll(async () => {
      server = await startS3()
      using folder = temporaryFolder()
      checkpoints = {}
      for (const version of [EARLY, OLDER, HINTED]) {
        // Version v has f0 to f(v-1): commit v adds the last of them.
        checkpoints[version] = readFileSync(await putParquet(folder.path, `${version}.parquet`, checkpointSql(version)))
      }
      for (let version = 0; version < COMMITS; version++) {
        const actions = version === 0 ? [PROTOCOL, METADATA] : [add(`f${version - 1}`, version - 1)]
        put(commitName(version), lines(actions))
      }
    })
    afterAll(async () => server[Symbol.asyncDispose]())
    beforeEach(() => {
      for (const version of [EARLY, OLDER, HINTED]) put(checkpointName(version), checkpoints[version] ?? '')
      put('_last_checkpoint', HINT)
      server.reset()
    })

    test('1,200 commits cost one read of the hint, one listing, the checkpoint and nine commits', async () => {
      const table = await DeltaTable.open(open('long'), parquet, NEVER, 'newest')
      expect(table.latest).toBe(COMMITS - 1)
      expect(await (await table.snapshot()).counts(NEVER)).toMatchObject({ files: COMMITS - 1 })
      const { lists, gets, heads, log } = server.requests()
      expect([lists, gets, heads]).toEqual([1, 1 + 1 + (COMMITS - 1 - HINTED), 0])
      expect(log.slice(0, 2).map(({ key, query }) => [key, query.get('start-after')])).toEqual([
        ['long/_delta_log/_last_checkpoint', null],
        ['', `long/_delta_log/${versionDigits(HINTED)}`],
      ])
      server.reset()
      await reported(open('long'), 'all')
      expect(server.requests()).toMatchObject({ lists: 2 })
    })

    test('the result is that of the full listing', async () => {
      const newest = await reported(open('long'), 'newest')
      expect(newest).toContain(checkpointName(HINTED))
      expect(newest).toBe(await reported(open('long'), 'all'))
    })

    test('an older version, a time and the history are read as well', async () => {
      const answers = async (reach: LogReach): Promise<unknown> => {
        const table = await DeltaTable.open(open('long'), parquet, NEVER, reach)
        const versions: unknown[] = []
        for (const version of [0, 5, OLDER - 1, OLDER, HINTED - 1, HINTED, HINTED + 3, COMMITS - 1]) {
          const snapshot = await table.snapshot({ version })
          versions.push([version, snapshot.segment.checkpoint?.version, await snapshot.counts(NEVER)])
        }
        const history: unknown[] = []
        for await (const commit of table.history({ limit: 30, signal: NEVER })) history.push(commit)
        const changes: unknown[] = []
        for await (const change of table.changes(HINTED - 5, HINTED + 5, NEVER)) changes.push(change)
        const { modified = 0 } = (await table.listing()).commits[7] ?? {}
        const error = await table.snapshot({ version: COMMITS }).catch((thrown: unknown) => String(thrown))
        return [
          versions,
          history,
          changes,
          await table.versionAt(modified),
          (await table.buildableHistory()).from,
          error,
        ]
      }
      expect(await answers('newest')).toEqual(await answers('all'))
    })

    test('a version above the last checkpoint needs no older listing', async () => {
      const table = await DeltaTable.open(open('long'), parquet, NEVER, 'newest')
      expect((await table.snapshot({ version: HINTED + 3 })).segment.commits).toHaveLength(3)
      expect(server.requests().lists).toBe(1)
      expect((await table.snapshot({ version: HINTED - 1 })).segment.checkpoint?.version).toBe(OLDER)
      // Earlier keys are listed up to where the first listing began: two pages, the second of which ends there.
      expect(server.requests().lists).toBe(3)
    })

    const corrupt: readonly [string, () => void][] = [
      ['garbage', () => put(checkpointName(HINTED), 'no Parquet at all')],
      ['cut short', () => put(checkpointName(HINTED), (checkpoints[HINTED] ?? Buffer.alloc(0)).subarray(0, 9_000))],
      ['empty', () => put(checkpointName(HINTED), '')],
    ]
    test.each(corrupt)('a good hint at a checkpoint that is %s falls back to the older one', async (_, damage) => {
      damage()
      const newest = await reported(open('long'), 'newest')
      expect(newest).toContain(`checkpoint ${HINTED} unreadable, using ${OLDER} and ${COMMITS - 1 - OLDER} commits`)
      expect(newest).toContain(`${COMMITS - 1} ${((COMMITS - 1) * (COMMITS - 2)) / 2} `)
      expect(newest).toBe(await reported(open('long'), 'all'))
    })

    test('a checkpoint that becomes unreadable after its first files never shows as a shorter list', async () => {
      // Protocol and metadata can be read, and so can the first sidecar.
      const sidecar = (path: string): object => ({ sidecar: { path, sizeInBytes: 1, modificationTime: 1 } })
      put(V2_NAME, lines([MANIFEST, PROTOCOL, METADATA, sidecar('good.parquet'), sidecar('bad.parquet')]))
      put('_sidecars/good.parquet', checkpoints[OLDER] ?? '')
      put('_sidecars/bad.parquet', 'no Parquet at all')
      server.remove(`long/_delta_log/${checkpointName(HINTED)}`)
      try {
        const table = await DeltaTable.open(open('long'), parquet, NEVER, 'newest')
        const snapshot = await table.snapshot()
        expect(snapshot.segment.checkpoint?.form).toBe('v2')
        expect(server.requests().lists).toBe(1)
        let seen = 0
        for await (const block of snapshot.files({ signal: NEVER })) seen += block.length
        expect(seen).toBe(COMMITS - 1)
        expect(table.notes).toEqual([expect.stringContaining(`checkpoint ${HINTED} unreadable, using ${OLDER} and`)])
        expect(await reported(open('long'), 'newest')).toBe(await reported(open('long'), 'all'))
      } finally {
        server.remove(`long/_delta_log/${V2_NAME}`)
      }
    })

    test('a checkpoint that is deleted between listing and reading falls back to the older one', async () => {
      const table = await DeltaTable.open(open('long'), parquet, NEVER, 'newest')
      server.remove(`long/_delta_log/${checkpointName(HINTED)}`)
      const snapshot = await table.snapshot()
      expect((await snapshot.counts(NEVER)).files).toBe(COMMITS - 1)
      expect(snapshot.segment.checkpoint?.version).toBe(OLDER)
    })

    test('without a fallback for a corrupt checkpoint, its error is the result', async () => {
      const bytes = 'no Parquet at all'
      server.put(`alone/_delta_log/${checkpointName(40)}`, bytes)
      server.put(`alone/_delta_log/${commitName(41)}`, lines([add('x')]))
      server.put('alone/_delta_log/_last_checkpoint', '{"version":40,"size":3}')
      const newest = await reported(open('alone'), 'newest')
      expect(newest).toMatch(/^BAD_CHECKPOINT /)
      expect(newest).toBe(await reported(open('alone'), 'all'))
    })

    test('a store that denies access to the hint is listed in full', async () => {
      server.failNext(1, 403, 'AccessDenied')
      const table = await DeltaTable.open(open('long'), parquet, NEVER, 'newest')
      expect(table.latest).toBe(COMMITS - 1)
      expect(server.requests()).toMatchObject({ lists: 2, gets: 1 })
    })

    const HINTS: readonly [string, (good: string, latest: number) => string | null][] = [
      ['as it is', (good) => good],
      ['missing', () => null],
      ['empty', () => ''],
      ['cut short', (good) => good.slice(0, -2)],
      ['no object', () => '[]'],
      ['too high', (_, latest) => JSON.stringify({ version: latest + 1, size: 1 })],
      ['far too high', () => '{"version":9007199254740991,"size":1}'],
      ['too low', () => '{"version":1,"size":1}'],
      ['zero', () => '{"version":0,"size":1}'],
      ['a version without a checkpoint', (_, latest) => JSON.stringify({ version: latest, size: 1 })],
      ['of other parts', (good) => JSON.stringify({ ...(JSON.parse(good) as object), parts: 7 })],
      ['a folder', () => null],
    ]

    /** Writes the hint of a table and returns how to remove it. */
    function putHint(prefix: string, name: string, text: string | null): Disposable {
      const key = `${prefix}/_delta_log/_last_checkpoint${name === 'a folder' ? '/inside' : ''}`
      const isThere = text !== null || name === 'a folder'
      if (isThere) server.put(key, text ?? 'x')
      return { [Symbol.dispose]: () => void (isThere && server.remove(key)) }
    }

    /** It does not read the hint, so that it is the same whatever the hint. */
    let listedWhole: Promise<string> | undefined
    test.each(HINTS)('the hint of the long log %s', async (name, damaged) => {
      server.remove('long/_delta_log/_last_checkpoint')
      using _ = putHint('long', name, damaged(HINT, COMMITS - 1))
      expect(await reported(open('long'), 'newest')).toBe(await (listedWhole ??= reported(open('long'), 'all')))
    })

    const tables = expectedTables()
      .map(({ table }) => table)
      .filter((table) => existsSync(join(folderOf(table), '_delta_log/_last_checkpoint')))

    describe.skipIf(!HAVE_TABLES)(
      `of real tables${HAVE_TABLES ? '' : ' (skipped: the real tables are not there)'}`,
      () => {
        test('some tables are found', () => expect(tables.length).toBeGreaterThan(15))

        test.each(someOf(tables, 4))('%s', async (table) => {
          server.putFolder(`${folderOf(table)}/_delta_log`, `${table}/_delta_log`)
          const whole = await reported(open(table), 'all')
          expect(await reported(open(table), 'newest')).toBe(whole)
          const good = readFileSync(join(folderOf(table), '_delta_log/_last_checkpoint'), 'utf8')
          const { latest } = await DeltaTable.open(open(table), parquet, NEVER)
          const segments = await segmentOf(open(table), 'all')
          server.remove(`${table}/_delta_log/_last_checkpoint`)
          for (const [name, damaged] of HINTS) {
            using _ = putHint(table, name, damaged(good, latest))
            const segment = await DeltaTable.open(open(table), parquet, NEVER, 'newest')
            expect([name, segment.latest]).toEqual([name, latest])
            expect([name, await segmentOf(open(table), 'newest')]).toEqual([name, segments])
          }
        })
      },
    )
  },
)
