/**
 * Changes that a stream cannot know of halt it: exit 5, the tables are named, the position stays; tables that are
 * copied again by command are equal.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ALL } from '../support/backend.ts'
import { perform } from '../support/copy-systems.ts'
import { caughtUp, expectEqual, stageOf, startFollowServer, type Stage } from '../support/follow-stage.ts'
import { POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'
import { startCopy } from './copy-kit.ts'

let server: PostgresServer

beforeAll(async () => {
  if (POSTGRES_OWN) server = await startFollowServer(['max_slot_wal_keep_size=48MB', 'checkpoint_timeout=3600'])
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

async function positionOf({ target }: Stage): Promise<string> {
  const [[position] = []] = await target.rows('SELECT log_position FROM migration_stream_lanes')
  return position ?? ''
}

const SLOT = `(SELECT slot_name FROM pg_replication_slots WHERE database = current_database())`

/** Statements at the source between two runs, and the tables that may lack changes; an empty list means all. */
const BETWEEN: readonly (readonly [string, readonly string[], string, readonly string[]])[] = [
  ['the slot is dropped', [`SELECT pg_drop_replication_slot(${SLOT})`], 'SLOT_LOST', []],
  [
    'the slot is another one of its name',
    [
      `DO $$ DECLARE s text := ${SLOT}; BEGIN PERFORM pg_drop_replication_slot(s); INSERT INTO t VALUES (9001, 'lost'); END $$`,
      `SELECT pg_create_logical_replication_slot((SELECT pubname FROM pg_publication), 'pgoutput')`,
    ],
    'SLOT_LOST',
    [],
  ],
  [
    'the publication is made anew',
    [
      `DO $$ DECLARE p text := (SELECT pubname FROM pg_publication); BEGIN
         EXECUTE 'DROP PUBLICATION ' || p; INSERT INTO t VALUES (9001, 'lost');
         EXECUTE 'CREATE PUBLICATION ' || p || ' FOR TABLE t, p WITH (publish_via_partition_root)'; END $$`,
    ],
    'STREAM_HALTED',
    [],
  ],
  [
    'a table leaves the publication',
    [`DO $$ BEGIN EXECUTE 'ALTER PUBLICATION ' || (SELECT pubname FROM pg_publication) || ' DROP TABLE t'; END $$`],
    'STREAM_HALTED',
    ['public.t'],
  ],
  ['a column with a default is added', ['ALTER TABLE t ADD COLUMN w int DEFAULT 7'], 'STREAM_HALTED', ['public.t']],
  ['a table gets another name', ['ALTER TABLE t RENAME TO u'], 'STREAM_HALTED', ['public.t']],
  ['a table is dropped', ['DROP TABLE t'], 'STREAM_HALTED', ['public.t']],
  [
    'a table is a view of another one',
    ['ALTER TABLE t RENAME TO u', 'CREATE VIEW t AS SELECT * FROM u'],
    'STREAM_HALTED',
    ['public.t'],
  ],
  ['a partition is detached', ['ALTER TABLE p DETACH PARTITION p_1'], 'STREAM_HALTED', ['public.p']],
  ['a partition is emptied by itself', ['TRUNCATE p_1'], 'STREAM_HALTED', ['public.p']],
]

describe.skipIf(!POSTGRES_OWN)('a stream whose tables change', () => {
  // The tests of the store check that the other cases are detected.
  test.each(BETWEEN.filter(([what]) => ALL || !/another one|another name|detached|view/.test(what)))(
    'halts if %s between two runs',
    { timeout: 60_000 },
    async (_what, statements, code, tables) => {
      const one = await stageOf(server, TABLES, ['t', 'p'])
      expect((await caughtUp(one)).finished.exitCode).toBe(0)
      const before = await positionOf(one)
      await one.source.sql(...statements)
      for (const run of ['the next run', 'the one after it']) {
        const { finished, events } = await perform({ ...one.copy, follow: { until: 'caught-up' } })
        expect(finished, run).toMatchObject({ exitCode: 5, error: { code } })
        const halted = events.filter((event) => event.type === 'follow.halted').flatMap((event) => event.tables)
        if (tables.length > 0 && halted.length > 0) expect([...new Set(halted)]).toEqual(tables)
      }
      // Only the stream itself can detect an emptied partition, because no change reports it.
      if (code !== 'STREAM_HALTED' || !statements.includes('TRUNCATE p_1')) expect(await positionOf(one)).toBe(before)
    },
  )

  const BOUNDS = "FOR VALUES FROM ('2026-03-01') TO ('2026-04-01')"
  const ADDED = [
    `CREATE TABLE p_9 PARTITION OF p ${BOUNDS}`,
    "INSERT INTO p SELECT i, '2026-03-05' FROM generate_series(901, 950) i",
  ]
  /** Statements at the source between two runs that leave no trace in its shape, and what halts. */
  const TRACELESS: readonly (readonly [string, readonly string[], string])[] = [
    ['a partition is added and dropped', [...ADDED, 'DROP TABLE p_9'], 'p_9 was detached or dropped'],
    [
      'a partition is added and detached',
      [...ADDED, 'ALTER TABLE p DETACH PARTITION p_9'],
      'p_9 was detached or dropped',
    ],
    [
      'a table with rows is a partition for a while',
      [
        'CREATE TABLE p_9 (id int, d date, PRIMARY KEY (id, d))',
        "INSERT INTO p_9 SELECT i, '2026-03-05' FROM generate_series(901, 950) i",
        `ALTER TABLE p ATTACH PARTITION p_9 ${BOUNDS}`,
        "UPDATE p SET d = '2026-03-06' WHERE id > 940",
        'ALTER TABLE p DETACH PARTITION p_9',
      ],
      'p_9 was detached or dropped',
    ],
    [
      'a partition is added and emptied by itself',
      [...ADDED, 'TRUNCATE p_9', "INSERT INTO p VALUES (901, '2026-03-06')"],
      'p_9, or ALTER TABLE, has replaced its rows',
    ],
    [
      'a partition has another replica identity for a while',
      [
        'CREATE UNIQUE INDEX p_1_d ON p_1 (id)',
        'ALTER TABLE p_1 REPLICA IDENTITY USING INDEX p_1_d',
        "UPDATE p SET d = '2026-01-30' WHERE d = '2026-01-03'",
        'ALTER TABLE p_1 REPLICA IDENTITY DEFAULT',
      ],
      'p_1: its replica identity is id, and was id, d',
    ],
  ]
  test.each(TRACELESS)(
    'halts if %s between two runs, and a resync ends it',
    { timeout: 90_000 },
    async (_, statements, reason) => {
      const one = await stageOf(server, TABLES, ['t', 'p'])
      expect((await caughtUp(one)).finished.exitCode).toBe(0)
      await one.source.sql(...statements)
      for (const run of ['the next run', 'the one after it']) {
        const { finished } = await perform({ ...one.copy, follow: { until: 'caught-up' } })
        expect(finished, run).toMatchObject({ exitCode: 5, error: { code: 'STREAM_HALTED' } })
        expect(finished.error?.message).toContain(`partition public.${reason}`)
      }
      const { finished } = await perform({ ...one.copy, follow: { resync: ['p'], until: 'equal' } })
      expect(finished.exitCode, JSON.stringify(finished.error)).toBe(0)
      await expectEqual(one)
    },
  )

  /**
   * Columns that exchange their names while a row is written, and exchange them back, so that the table looks
   * unchanged.
   */
  const SWAPPED = [
    ['slot', 'a', 'b'],
    ['slot', 'id', 'part'],
    ['trigger', 'a', 'b'],
    ['trigger', 'id', 'part'],
  ] as const
  test.each(SWAPPED)(
    'halts or continues correctly, by %s, if %s and %s swap names and swap back',
    { timeout: 60_000 },
    async (cdc, left, right) => {
      const made = [
        'CREATE TABLE s (id int, part int, a int, b int, PRIMARY KEY (id, part))',
        'INSERT INTO s VALUES (1, 2, 10, 20), (2, 1, 30, 40), (3, 4, 50, 60)',
      ]
      const staged = await stageOf(server, made, ['s'])
      const one = { ...staged, copy: { ...staged.copy, follow: { cdc } } }
      expect((await caughtUp(one)).finished.exitCode).toBe(0)
      const swap = `BEGIN; ALTER TABLE s RENAME ${left} TO x; ALTER TABLE s RENAME ${right} TO ${left}; ALTER TABLE s RENAME x TO ${right}; COMMIT`
      await one.source.sql(swap, 'UPDATE s SET a = a + 100 WHERE id IN (1, 2) AND part = 3 - id AND a < 30', swap)
      await one.source.sql('UPDATE s SET b = b + 1 WHERE id = 3')
      const { finished } = await caughtUp(one)
      if (cdc === 'slot') {
        expect(finished).toMatchObject({ exitCode: 5, error: { code: 'STREAM_HALTED' } })
        expect(finished.error?.message).toMatch(new RegExp(`public.s changed: .*columns ${left}, ${right} `))
        const repaired = await perform({ ...one.copy, follow: { cdc, until: 'caught-up', resync: ['s'] } })
        expect(repaired.finished).toMatchObject({ exitCode: 0 })
      } else expect(finished).toMatchObject({ exitCode: 0 })
      await expectEqual(one)
    },
  )

  test('halts at once on DDL, and --restart copies the tables again', { timeout: 60_000 }, async () => {
    const one = await stageOf(server, TABLES, ['t', 'p'])
    const child = startCopy(one.copy)
    await child.until('follow.progress')
    await one.source.sql('ALTER TABLE t DROP COLUMN v', 'INSERT INTO t VALUES (500)')
    const { finished } = await child.ended
    expect(finished).toMatchObject({ exitCode: 5, error: { code: 'STREAM_HALTED' } })
    expect((await caughtUp(one)).finished).toMatchObject({ exitCode: 5 })
    await one.target.sql('ALTER TABLE t DROP COLUMN v')
    const again = await perform({ ...one.copy, restart: true, follow: { until: 'equal' } })
    expect(again.finished).toMatchObject({ exitCode: 0 })
    await expectEqual(one)
  })

  test(
    'halts if a table is gone: nothing copies it again, and the hint names the remedy',
    { timeout: 60_000 },
    async () => {
      const one = await stageOf(server, TABLES, ['t', 'p'])
      const copy = { ...one.copy, tables: ['public.*'] }
      const again = (more: Partial<typeof copy>): ReturnType<typeof perform> =>
        perform({ ...copy, ...more, follow: { until: 'caught-up', ...more.follow } })
      expect((await again({})).finished.exitCode).toBe(0)
      await one.source.sql('CREATE TABLE young (id int PRIMARY KEY)', 'INSERT INTO t VALUES (777)')
      const beside = await again({})
      expect(beside.finished.exitCode, JSON.stringify(beside.finished.error)).toBe(0)
      const reported = beside.events.flatMap((event) => (event.type === 'log' ? [event.message] : []))
      expect(reported.join('\n')).toContain('public.young is not followed')
      await one.source.sql('DROP TABLE young', 'ALTER TABLE t RENAME TO u', 'INSERT INTO u VALUES (778)')
      const before = await positionOf(one)
      for (const follow of [{}, { resync: ['public.t'] }, {}]) {
        const { finished } = await again({ follow })
        expect(finished).toMatchObject({ exitCode: 5, error: { code: 'STREAM_HALTED' } })
        expect(finished.error?.hint).toMatch(
          /^restore public\.t under that name, .*--resync public\.t; or continue without it: .* --end/,
        )
      }
      expect(await positionOf(one)).toBe(before)
      await one.source.sql('ALTER TABLE u RENAME TO t')
      expect((await again({ follow: { resync: ['public.t'] } })).finished.exitCode).toBe(0)
      await expectEqual(one)
      await one.source.sql('ALTER TABLE t RENAME TO u')
      expect((await again({ restart: true })).finished.exitCode).toBe(0)
      expect(await one.target.rows('SELECT count(*)::text FROM u WHERE id = 778')).toEqual([['1']])
    },
  )

  test('does not halt if an empty partition is added', { timeout: 60_000 }, async () => {
    const one = await stageOf(server, TABLES, ['t', 'p'])
    expect((await caughtUp(one)).finished.exitCode).toBe(0)
    await one.source.sql(
      "CREATE TABLE p_3 PARTITION OF p FOR VALUES FROM ('2026-03-01') TO ('2026-04-01')",
      "INSERT INTO p VALUES (999, '2026-03-05')",
    )
    expect((await caughtUp(one)).finished.exitCode).toBe(0)
    await expectEqual(one)
  })

  test('halts if its slot has retained more WAL than allowed', { timeout: 60_000 }, async () => {
    const one = await stageOf(server, TABLES, ['t', 'p'])
    expect((await caughtUp(one)).finished.exitCode).toBe(0)
    await one.source.sql('CREATE TABLE noise (t text)')
    for (;;) {
      await one.source.sql("INSERT INTO noise SELECT repeat('x', 2000) FROM generate_series(1, 15000)", 'CHECKPOINT')
      const [[status] = []] = await one.source.rows(
        'SELECT wal_status FROM pg_replication_slots WHERE database = current_database()',
      )
      if (status === 'lost') break
      await sleep(10)
    }
    const lost = await caughtUp(one)
    expect(lost.finished).toMatchObject({ exitCode: 5, error: { code: 'SLOT_LOST' } })
    await one.source.sql("UPDATE t SET v = 'after'")
    const again = await perform({ ...one.copy, restart: true, follow: { until: 'caught-up' } })
    expect(again.finished).toMatchObject({ exitCode: 0 })
    await expectEqual(one)
  })

  test('halts if its target was emptied or recreated', { timeout: 60_000 }, async () => {
    const one = await stageOf(server, TABLES, ['t', 'p'])
    expect((await caughtUp(one)).finished.exitCode).toBe(0)
    await one.target.sql('DROP TABLE t', 'CREATE TABLE t (id int PRIMARY KEY, v text)')
    expect((await caughtUp(one)).finished).toMatchObject({ exitCode: 5, error: { code: 'STREAM_HALTED' } })
    await one.target.sql('TRUNCATE p')
    const again = await perform({ ...one.copy, restart: true, follow: { until: 'caught-up' } })
    expect(again.finished.exitCode).toBe(0)
    await one.target.sql('TRUNCATE p')
    expect((await caughtUp(one)).finished).toMatchObject({ exitCode: 5, error: { code: 'STREAM_HALTED' } })
  })
})
