/**
 * Tables that are copied again within their stream (resync): they are equal afterwards, whatever older changes the
 * stream still sends.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { perform } from '../support/copy-systems.ts'
import { caughtUp, expectEqual, stageOf, startFollowServer, writerStage, type Stage } from '../support/follow-stage.ts'
import { startWriter } from '../support/follow-writer.ts'
import { POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'
import { of, startCopy } from './copy-kit.ts'
import { ALL } from '../support/backend.ts'

let server: PostgresServer

beforeAll(async () => {
  if (POSTGRES_OWN) server = await startFollowServer()
})

afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
})

const TABLES = [
  'CREATE TABLE t (id int PRIMARY KEY, v text)',
  "INSERT INTO t SELECT i, 'v' FROM generate_series(1, 200) i",
  'CREATE TABLE p (id int, d date, PRIMARY KEY (id, d)) PARTITION BY RANGE (d)',
  "CREATE TABLE p_1 PARTITION OF p FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')",
  "CREATE TABLE p_2 PARTITION OF p FOR VALUES FROM ('2026-02-01') TO ('2026-03-01')",
  "INSERT INTO p SELECT i, date '2026-01-01' + i % 50 FROM generate_series(1, 100) i",
]

/** Changes of both tables that the stream has not applied yet. */
const WRITES = [
  "UPDATE t SET v = 'changed' WHERE id % 3 = 0",
  'UPDATE t SET id = id + 10000 WHERE id % 7 = 0',
  'DELETE FROM t WHERE id % 11 = 0',
  "INSERT INTO p VALUES (5000, '2026-02-02')",
  'DELETE FROM p WHERE id % 9 = 0',
]

const WHEN = ['before', 'during', 'after'] as const

async function resync({ copy }: Stage, ...names: readonly string[]): ReturnType<typeof perform> {
  return await perform({ ...copy, follow: { resync: names, until: 'equal' } })
}

/** What halts a stream, and what the target needs before the resync. */
const HALTED: readonly (readonly [string, string, readonly string[], readonly string[]])[] = [
  [
    'a table that left the publication',
    'public.t',
    [`DO $$ BEGIN EXECUTE 'ALTER PUBLICATION ' || (SELECT pubname FROM pg_publication) || ' DROP TABLE t'; END $$`],
    [],
  ],
  [
    'a table whose rows the publication leaves out in part',
    'public.t',
    [
      `DO $$ BEGIN EXECUTE 'ALTER PUBLICATION ' || (SELECT pubname FROM pg_publication) || ' SET TABLE t WHERE (id < 5), p'; END $$`,
    ],
    [],
  ],
  [
    'a table with a column more',
    'public.t',
    ['ALTER TABLE t ADD COLUMN w int DEFAULT 7'],
    ['ALTER TABLE t ADD COLUMN w int'],
  ],
  ['a table with a column less', 'public.t', ['ALTER TABLE t DROP COLUMN v'], ['ALTER TABLE t DROP COLUMN v']],
  ['a table that was made anew', 'public.t', ['DROP TABLE t', ...TABLES.slice(0, 2)], []],
  ['a partition that was detached', 'public.p', ['ALTER TABLE p DETACH PARTITION p_1'], []],
]

describe.skipIf(!POSTGRES_OWN)('a resync within a stream', { timeout: 60_000 }, () => {
  test.each(HALTED.filter(([what]) => ALL || !/less|in part|anew|detached/.test(what)))(
    'repairs %s',
    async (_what, name, statements, there) => {
      const one = await stageOf(server, TABLES, ['t', 'p'])
      expect((await caughtUp(one)).finished.exitCode).toBe(0)
      await one.source.sql(...WRITES, ...statements, 'INSERT INTO t (id) VALUES (9001)')
      const halted = await caughtUp(one)
      expect(halted.finished).toMatchObject({ exitCode: 5, error: { code: 'STREAM_HALTED' } })
      expect(halted.finished.error?.hint).toContain(`--resync ${name}`)
      await one.target.sql(...there)
      const other = name === 'public.t' ? 'p' : 't'
      const [[before] = []] = await one.target.rows(`SELECT max(xmin::text::bigint) FROM ${other} WHERE id = 1`)
      const ran = await resync(one, name)
      expect(ran.finished, JSON.stringify(ran.finished.error)).toMatchObject({ exitCode: 0 })
      await expectEqual(one)
      const [[after] = []] = await one.target.rows(`SELECT max(xmin::text::bigint) FROM ${other} WHERE id = 1`)
      expect(after, 'the other table is not copied').toBe(before)
      await one.source.sql('INSERT INTO t (id) VALUES (9002)', "INSERT INTO p VALUES (9002, '2026-02-03')")
      expect((await caughtUp(one)).finished.exitCode).toBe(0)
      await expectEqual(one)
    },
  )

  test('repairs a table although another one is halted: the hint names both', async () => {
    const one = await stageOf(server, TABLES, ['t', 'p'])
    expect((await caughtUp(one)).finished.exitCode).toBe(0)
    // The publication no longer shows that it lacked changes of t.
    const published = (does: string): string =>
      `DO $$ BEGIN EXECUTE 'ALTER PUBLICATION ' || (SELECT pubname FROM pg_publication) || ' ${does}'; END $$`
    await one.source.sql(published('DROP TABLE t'), 'INSERT INTO t (id) VALUES (9001)')
    expect((await caughtUp(one)).finished.error?.hint).toMatch(/--resync public\.t;/)
    await one.source.sql(published('ADD TABLE t'), 'ALTER TABLE p ADD COLUMN w int')
    for (const table of ['t', 'p']) {
      const { finished } = await resync(one, table)
      expect(finished).toMatchObject({ exitCode: 5, error: { code: 'STREAM_HALTED' } })
      expect(finished.error?.hint).toMatch(/--resync public\.(?:t,public\.p|p,public\.t);/)
    }
    await one.target.sql('ALTER TABLE p ADD COLUMN w int')
    const ran = await resync(one, 't', 'p')
    expect(ran.finished, JSON.stringify(ran.finished.error)).toMatchObject({ exitCode: 0 })
    await expectEqual(one)
  })

  test('repairs a table that was emptied in the target', async () => {
    const one = await stageOf(server, TABLES, ['t', 'p'])
    expect((await caughtUp(one)).finished.exitCode).toBe(0)
    await one.source.sql("UPDATE t SET v = 'changed' WHERE id % 3 = 0")
    expect((await caughtUp(one)).finished.exitCode).toBe(0)
    await one.target.sql('TRUNCATE t')
    const halted = await caughtUp(one)
    expect(halted.finished.error?.hint).toMatch(/sluice follow \d+ --resync public\.t$/)
    const ran = await resync(one, 't')
    expect(ran.finished.exitCode).toBe(0)
    await expectEqual(one)
    // Changes that were applied before the resync are counted as well.
    const counted = of(ran.events, 'follow.counted').filter(({ table }) => table === 'public.t')
    expect(counted.at(-1)).toMatchObject({ updates: '66' })
  })

  test('is equal after kills at its steps while the source is written to', async () => {
    const one = await writerStage(server, 800)
    const writer = startWriter(one.source.url, { seed: 5, keys: 800, pauseMs: 2 })
    expect((await caughtUp(one)).finished.exitCode).toBe(0)
    let killed = 0
    for (const [i, step] of (ALL ? [2, 4, 6, 8, 10, 14] : [3, 6, 10]).entries()) {
      const follow = { until: 'caught-up' as const, ...(i % 2 === 0 ? { resync: ['ev', 'acct'] } : {}) }
      const child = startCopy({ ...one.copy, follow }, { step, when: WHEN[i % 3] ?? 'before' })
      if ((await child.ended).signal !== null) killed++
    }
    expect(killed).toBeGreaterThan(1)
    await writer.stop()
    const { finished } = await perform({ ...one.copy, follow: { until: 'equal' } })
    expect(finished, JSON.stringify(finished.error)).toMatchObject({ exitCode: 0, totals: { live: '4' } })
    expect(finished.totals).not.toHaveProperty('mended')
    await expectEqual(one)
  })

  test('needs unique indexes and foreign keys dropped, and creates them again', async () => {
    const tables = [
      'CREATE TABLE up (id int PRIMARY KEY, code text CONSTRAINT up_code UNIQUE)',
      "INSERT INTO up SELECT i, 'c' || i FROM generate_series(1, 50) i",
      'CREATE TABLE down (id int PRIMARY KEY, up int CONSTRAINT down_up REFERENCES up)',
      'INSERT INTO down SELECT i, 1 + i % 50 FROM generate_series(1, 100) i',
    ]
    const stage = await stageOf(server, tables, ['up', 'down'])
    const one = { ...stage, copy: { ...stage.copy, with: ['indexes', 'constraints'] as const } }
    expect((await caughtUp(one)).finished.exitCode).toBe(0)
    const names = "SELECT conname::text FROM pg_constraint WHERE conname IN ('up_code', 'down_up') ORDER BY 1"
    expect(await one.target.rows(names)).toEqual([['down_up'], ['up_code']])
    // The reread row must be read as of the applied position, because its newest value conflicts with an older change
    // of another row.
    await one.source.sql(
      "UPDATE up SET code = 'c1x' WHERE id = 1",
      "UPDATE up SET code = 'c1' WHERE id = 2",
      "UPDATE up SET code = 'z' WHERE id = 2",
      "UPDATE up SET code = 'c1' WHERE id = 4",
    )
    await one.target
      .sql(`INSERT INTO migration_stream_rereads (reread_id, stream_id, schema_name, table_name, row_key, reason, noted_ms)
      SELECT 'a', stream_id, schema_name, table_name, '["4"]', 'difference', 0 FROM migration_stream_tables WHERE table_name = 'up'`)
    expect((await caughtUp(one)).finished.exitCode).toBe(0)
    await expectEqual(one)
    const refused = await resync(one, 'up')
    expect(refused.finished).toMatchObject({ exitCode: 6, error: { code: 'NOT_FOLLOWABLE' } })
    expect(refused.finished.error?.message).toContain('up_code')
    await one.target.sql('ALTER TABLE down DROP CONSTRAINT down_up', 'ALTER TABLE up DROP CONSTRAINT up_code')
    expect((await resync(one, 'up')).finished.exitCode).toBe(0)
    await expectEqual(one)
    expect(await one.target.rows(names)).toEqual([['down_up'], ['up_code']])
  })

  test("keeps rows of tables that reference the table, whatever the foreign key's actions are", async () => {
    const tables = [
      'CREATE TABLE up (id int PRIMARY KEY)',
      'INSERT INTO up SELECT generate_series(1, 20)',
      'CREATE TABLE away (id int PRIMARY KEY, up int REFERENCES up ON DELETE SET NULL)',
      'INSERT INTO away SELECT i, i FROM generate_series(1, 20) i',
    ]
    const stage = await stageOf(server, tables, ['up', 'away'])
    const one = { ...stage, copy: { ...stage.copy, with: ['constraints'] as const } }
    expect((await caughtUp(one)).finished.exitCode).toBe(0)
    await one.target.sql(
      'CREATE TABLE own (id int PRIMARY KEY, up int REFERENCES up ON DELETE CASCADE)',
      'INSERT INTO own SELECT i, i FROM generate_series(1, 20) i',
    )
    const again = await perform({ ...one.copy, follow: { resync: ['up'], until: 'caught-up' } })
    expect(again.finished, JSON.stringify(again.finished.error)).toMatchObject({ exitCode: 0 })
    await expectEqual(one)
    expect(await one.target.rows('SELECT count(*) FROM own')).toEqual([['20']])
    // The next run creates what a live table lacks.
    await one.target.sql('ALTER TABLE away DROP CONSTRAINT away_up_fkey')
    const next = await perform({ ...one.copy, restart: true, follow: { until: 'caught-up' } })
    expect(next.finished, JSON.stringify(next.finished.error)).toMatchObject({ exitCode: 0 })
    await expectEqual(one)
    expect(await one.target.rows('SELECT count(*) FROM own')).toEqual([['20']])
    await one.target.sql('ALTER TABLE away DROP CONSTRAINT away_up_fkey')
    expect((await caughtUp(one)).finished.exitCode).toBe(0)
    expect(await one.target.rows("SELECT count(*) FROM pg_constraint WHERE conname = 'away_up_fkey'")).toEqual([['1']])
  })

  test('of a floating point key: refused for a new table, accepted for an existing one', async () => {
    const one = await stageOf(
      server,
      ['CREATE TABLE f (f float8 PRIMARY KEY)', 'INSERT INTO f VALUES (0.1), (2)'],
      ['f'],
    )
    const { error } = (await caughtUp(one)).finished
    expect(error).toMatchObject({ code: 'NOT_FOLLOWABLE', message: expect.stringMatching(/has no key$/) as string })
    expect(error?.hint).not.toContain('--key')
    await one.target.sql('CREATE TABLE f (f float8 PRIMARY KEY)')
    expect((await caughtUp(one)).finished.exitCode).toBe(0)
  })

  test('is refused if it cannot repair the stream', async () => {
    const one = await stageOf(server, TABLES, ['t', 'p'])
    expect((await caughtUp(one)).finished.exitCode).toBe(0)
    expect((await resync(one, 'nobody')).finished).toMatchObject({ exitCode: 2, error: { code: 'BAD_FLAG' } })
    await one.source.sql(
      'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database()',
    )
    const lost = await resync(one, 't', 'p')
    expect(lost.finished).toMatchObject({ exitCode: 5, error: { code: 'SLOT_LOST' } })
    expect(lost.finished.error?.hint).toContain('--restart')
  })
})
