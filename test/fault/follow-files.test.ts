/** A stream into a file that is killed at any step while the source is written to: the result is equal. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ALL } from '../support/backend.ts'
import { makePlace, perform } from '../support/copy-systems.ts'
import { expectSameRows } from '../support/follow-projection.ts'
import { leftAtSource, stageOf, startFollowServer, writerStage, type Stage } from '../support/follow-stage.ts'
import { startWriter } from '../support/follow-writer.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'
import { startCopy } from './copy-kit.ts'

/**
 * Points at which a program is killed: between its chunks, while tables catch up and become live, and while it
 * compares.
 */
const KILLS = [
  { type: 'follow.started', times: 1 },
  { type: 'chunk.done', times: 3 },
  { type: 'follow.table', times: 2 },
  { type: 'follow.table', times: 5 },
  { type: 'follow.proved', times: 1 },
  { type: 'follow.progress', times: 2 },
] as const

const LIFE = [
  `CREATE TABLE t (id int PRIMARY KEY, code text NOT NULL, v int, big text)`,
  'ALTER TABLE t ALTER COLUMN big SET STORAGE EXTERNAL',
  'CREATE UNIQUE INDEX t_code ON t (code)',
  `INSERT INTO t SELECT i, 'c' || i, 0, repeat(md5(i::text), 80) FROM generate_series(1, 1000) i`,
  'CREATE TABLE p (id int, day date, v int, PRIMARY KEY (id, day)) PARTITION BY RANGE (day)',
  `CREATE TABLE p_1 PARTITION OF p FOR VALUES FROM ('2026-01-01') TO ('2026-07-01')`,
  `INSERT INTO p SELECT i, date '2026-01-01', i FROM generate_series(1, 1000) i`,
]

let server: PostgresServer
const folder = mkdtempSync(join(tmpdir(), 'sluice-follow-files-'))

beforeAll(async () => {
  if (POSTGRES_OWN) server = await startFollowServer()
})

afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

describe.skipIf(!POSTGRES_OWN).each(['sqlite', 'duckdb'] as const)(`a stream into %s ${POSTGRES_MISSING}`, (system) => {
  const writing = { keys: 400, pauseMs: 2, numbersOnly: system === 'sqlite' }
  const stage = async (): Promise<Stage> => writerStage(server, 400, await makePlace(system, folder))

  test('is equal after kills while its source is written to', { timeout: 120_000 }, async () => {
    const one = await stage()
    const writer = startWriter(one.source.url, { ...writing, seed: 3, truncates: true })
    const kills = ALL ? KILLS : [KILLS[system === 'sqlite' ? 4 : 1]]
    for (const killedBy of kills) {
      const child = startCopy({ ...one.copy, follow: { until: 'equal' } }, killedBy === undefined ? {} : { killedBy })
      expect((await child.ended).signal).toBe('SIGKILL')
    }
    await writer.stop()
    const { finished } = await perform({ ...one.copy, follow: { until: 'equal' } })
    expect(finished).toMatchObject({ exitCode: 0, totals: { live: '4' } })
    expect(finished.notChecked).toMatch(/every row was found equal/)
    await expectSameRows(one)
    expect(await leftAtSource(one)).toHaveLength(2)
    // Executed by this program, which has the file for itself.
    const [[stream] = []] = await one.target.rows('SELECT CAST(stream_id AS VARCHAR) FROM migration_streams')
    const { from, to } = one.copy
    const signed = await perform({ kind: 'sign-off', stream: stream ?? '', from, to, tables: [] })
    expect(signed.finished, JSON.stringify(signed.finished.error)).toMatchObject({ exitCode: 0 })
  })

  test(
    'applies rotated unique values, moved rows, and a transaction that truncates a table among 24,000 rows',
    { timeout: 120_000 },
    async () => {
      const one = await stageOf(server, LIFE, ['t', 'p'], 1000, await makePlace(system, folder))
      const copy = { ...one.copy, with: ['indexes'], follow: { until: 'caught-up' } } as const
      const first = await perform(copy)
      expect(first.finished).toMatchObject({ exitCode: 0, totals: { live: '2' } })
      const indexes = system === 'sqlite' ? `sqlite_schema WHERE name` : `duckdb_indexes() WHERE index_name`
      expect(await one.target.rows(`SELECT count(*) FROM ${indexes} = 't_code'`)).toEqual([['1']])
      await one.source.sql(
        `BEGIN; UPDATE t SET code = 'x' WHERE id = 1; UPDATE t SET code = 'c1' WHERE id = 2; UPDATE t SET code = 'c2' WHERE id = 1; COMMIT`,
        // Moves with values that the stream does not report, and two rows that exchange their keys.
        'UPDATE t SET id = id + 5000 WHERE id <= 100',
        'BEGIN; UPDATE t SET id = 9999 WHERE id = 200; UPDATE t SET id = 200 WHERE id = 201; UPDATE t SET id = 201 WHERE id = 9999; COMMIT',
        `BEGIN; INSERT INTO p SELECT i, date '2026-02-01', i FROM generate_series(1001, 22000) i; TRUNCATE p;
       INSERT INTO p SELECT i, date '2026-02-01', i FROM generate_series(1, 3000) i; UPDATE t SET v = v + 1; COMMIT`,
      )
      const backup = `${one.target.url.slice(`${system}:///`.length)}.bak`
      cpSync(one.target.url.slice(`${system}:///`.length), backup)
      const { finished } = await perform({ ...copy, follow: { until: 'equal' } })
      expect(finished).toMatchObject({ exitCode: 0, totals: { live: '2' } })
      await expectSameRows(one)
      const { follow: _follow, ...plain } = one.copy
      expect((await perform(plain)).finished).toMatchObject({ exitCode: 5, error: { code: 'TABLE_FOLLOWED' } })

      // A backup of the file is older than the position that was confirmed to the source.
      cpSync(backup, one.target.url.slice(`${system}:///`.length))
      expect((await perform(copy)).finished).toMatchObject({ exitCode: 5, error: { code: 'SLOT_LOST' } })
      const refused = await perform({ ...copy, restart: true })
      expect(refused.finished.error).toMatchObject({
        code: 'NOT_FOLLOWABLE',
        message: expect.stringMatching(/t_code/) as string,
      })
      await one.target.sql('DROP INDEX t_code')
      const again = await perform({ ...copy, restart: true })
      expect(again.finished).toMatchObject({ exitCode: 0, totals: { live: '2' } })
      await expectSameRows(one)
      await one.target.sql('DELETE FROM t')
      expect((await perform(copy)).finished).toMatchObject({ exitCode: 5, error: { code: 'STREAM_HALTED' } })

      const started = again.events.find((event) => event.type === 'follow.started')
      const stream = started?.type === 'follow.started' ? started.stream : ''
      const sides = { from: one.copy.from, to: one.copy.to, untilCaughtUp: false, untilEqual: false }
      expect((await perform({ kind: 'follow', stream, ...sides, end: true })).finished.exitCode).toBe(0)
      expect(await leftAtSource(one)).toEqual([])
    },
  )

  test('halts in the middle of a large transaction, which is not committed', { timeout: 60_000 }, async () => {
    const one = await stageOf(server, LIFE, ['t', 'p'], 1000, await makePlace(system, folder))
    expect((await perform({ ...one.copy, follow: { until: 'caught-up' } })).finished.exitCode).toBe(0)
    const [publication] = (await one.source.rows('SELECT pubname::text FROM pg_publication'))[0] ?? []
    const child = startCopy(one.copy)
    await child.until('follow.progress')
    // The source is inspected when the TRUNCATE arrives: the changes before it are written then, and not committed.
    await one.source.sql(
      `BEGIN; INSERT INTO t SELECT i, 'c' || i, 0, repeat('x', 900) FROM generate_series(2001, 26000) i; TRUNCATE t; DROP PUBLICATION ${publication}; COMMIT`,
    )
    expect((await child.ended).finished).toMatchObject({ exitCode: 5, error: { code: 'STREAM_HALTED' } })
    expect(await one.target.rows('SELECT count(*) FROM t')).toEqual([['1000']])
    expect(await one.target.rows("SELECT count(*) FROM migration_streams WHERE status = 'halted'")).toEqual([['1']])
  })
})
