/** Values that one of the sides cannot store, and partitions, in targets of every system. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { DiffFollowedOperation } from '../../src/engine/follow/operations/diff-followed/declaration.ts'
import { temporaryFolder } from '../support/catalog-kit.ts'
import {
  copyOf,
  makePlace,
  missing,
  perform,
  placeOn,
  type Place,
  type Ran,
  type System,
} from '../support/copy-systems.ts'
import { caughtUp, stageOf, startFollowServer, type Stage } from '../support/follow-stage.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'

let server: PostgresServer
const folder = temporaryFolder()
const mysqlMissing = await missing('mysql')

beforeAll(async () => {
  if (POSTGRES_OWN) server = await startFollowServer()
})

afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

const SYSTEMS = mysqlMissing === '' ? (['sqlite', 'duckdb', 'mysql'] as const) : (['sqlite', 'duckdb'] as const)

/** Where rows go: another database of the source's server for PostgreSQL. */
async function makePlaceOf(system: System): Promise<Place> {
  return system === 'postgresql' ? await placeOn(system, server.url()) : await makePlace(system, folder.path)
}

async function streamOf({ target }: Stage): Promise<string> {
  const [[stream] = []] = await target.rows('SELECT stream_id FROM migration_streams')
  return stream ?? ''
}

/** Compares and repairs rows by command. */
async function byHand(one: Stage, scope: DiffFollowedOperation['scope'], table: string): Promise<Ran> {
  const { from, to } = one.copy
  const stream = await streamOf(one)
  return await perform({ kind: 'diff-followed', stream, from, to, scope, table, limit: 100, dryRun: false })
}

async function signedOff(one: Stage, more: { readonly partition?: string } = {}): Promise<Ran> {
  const { from, to } = one.copy
  return await perform({ kind: 'sign-off', stream: await streamOf(one), from, to, tables: [...one.names], ...more })
}

const PARTED = [
  'CREATE TABLE ev (id int, at timestamptz, v int, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)',
  "CREATE TABLE ev_1 PARTITION OF ev FOR VALUES FROM (MINVALUE) TO ('2026-02-01 00:00:00+00')",
  "CREATE TABLE ev_2 PARTITION OF ev FOR VALUES FROM ('2026-02-01 00:00:00+00') TO ('2026-03-01 00:00:00+00')",
  'CREATE TABLE ev_rest PARTITION OF ev DEFAULT',
  "INSERT INTO ev SELECT i, timestamptz '2026-01-30 00:00:00+00' + i * interval '12 hours', i FROM generate_series(0, 99) i",
]

describe.skipIf(!POSTGRES_OWN).each(SYSTEMS)(`a stream into %s ${POSTGRES_MISSING}`, (system) => {
  test('compares and repairs the rows of one partition of the source', { timeout: 60_000 }, async () => {
    const one = await stageOf(server, PARTED, ['ev'], 1000, await makePlace(system, folder.path))
    expect((await caughtUp(one)).finished.exitCode).toBe(0)
    const signed = await signedOff(one, { partition: 'ev_2' })
    expect(signed.finished, JSON.stringify(signed.finished.error)).toMatchObject({ exitCode: 0 })
    await one.target.sql('UPDATE ev SET v = -1 WHERE id IN (1, 20, 90)')
    for (const [name, fixed] of [
      ['ev_2', '1'],
      ['ev_rest', '1'],
      ['ev_1', '1'],
    ] as const) {
      const { finished } = await byHand(one, { by: 'partition', name }, 'ev')
      expect(finished, `${name} ${JSON.stringify(finished.error)}`).toMatchObject({ exitCode: 0, totals: { fixed } })
    }
    expect(await one.target.rows('SELECT count(*) FROM ev WHERE v < 0')).toEqual([['0']])
  })
})

const ALONE = (system: System): readonly string[] => [
  `CREATE TABLE ev (id ${system === 'sqlite' ? 'INTEGER' : 'bigint'} PRIMARY KEY, at ${system === 'mysql' ? 'datetime' : 'timestamp'}, v ${system === 'sqlite' ? 'INTEGER' : 'bigint'})`,
  `INSERT INTO ev VALUES ${Array.from({ length: 20 }, (_, i) => `(${i}, ${i % 2 === 0 ? `'2026-01-${String(i + 10)} 00:00:00'` : 'NULL'}, 1)`).join(', ')}`,
]

const INTO_PARTED = [
  'CREATE TABLE ev (id bigint NOT NULL, at timestamp, v bigint) PARTITION BY RANGE (at)',
  "CREATE TABLE ev_1 PARTITION OF ev FOR VALUES FROM ('2026-01-01') TO ('2026-01-20')",
  'CREATE TABLE ev_rest PARTITION OF ev DEFAULT',
  'CREATE INDEX ON ev (id)',
]

/** Rows without a time: the default partition has them, and a plain table on the other side knows no partitions. */
describe.skipIf(!POSTGRES_OWN).each(['postgresql', ...SYSTEMS.filter((system) => system !== 'duckdb')] as const)(
  `a stream out of %s into partitions ${POSTGRES_MISSING}`,
  (system) => {
    test('compares and repairs rows without a time in the default partition', { timeout: 60_000 }, async () => {
      const [source, target] = [await makePlaceOf(system), await makePlaceOf('postgresql')]
      if (system === 'sqlite') await source.sql('PRAGMA journal_mode = WAL')
      await source.sql(...ALONE(system))
      await target.sql(...INTO_PARTED)
      const follow = system === 'postgresql' ? {} : ({ cdc: 'trigger' } as const)
      const one: Stage = { source, target, names: ['ev'], copy: copyOf(source, target, 'ev', { follow }) }
      const copied = await caughtUp(one)
      expect(copied.finished, JSON.stringify(copied.finished.error)).toMatchObject({ exitCode: 0 })
      await target.sql('UPDATE ev SET v = -1 WHERE id IN (1, 2, 18)', 'DELETE FROM ev WHERE id = 3')
      const refused = await signedOff(one, { partition: 'ev_rest' })
      expect(refused.finished).toMatchObject({
        exitCode: 1,
        error: { message: expect.stringContaining('3 rows differ') as string },
        totals: { rows: '15' },
      })
      const repaired = await byHand(one, { by: 'partition', name: 'ev_rest' }, 'ev')
      expect(repaired.finished).toMatchObject({ exitCode: 0, totals: { fixed: '3' } })
      expect(await target.rows('SELECT id FROM ev WHERE v < 0')).toEqual([['2']])
      const given = await signedOff(one, { partition: 'ev_rest' })
      expect(given.finished, JSON.stringify(given.finished.error)).toMatchObject({ exitCode: 0 })
      const other = await signedOff(one, { partition: 'ev_1' })
      expect(other.finished).toMatchObject({ exitCode: 1 })
    })
  },
)

const VALUES = [
  'CREATE TABLE clients (id int PRIMARY KEY, uid uuid, n numeric, d date)',
  "INSERT INTO clients SELECT i, md5(i::text)::uuid, i / 8.0, date '2020-01-01' + i FROM generate_series(1, 200) i",
]

/** Values that the types of the target can store, and those of the source cannot. */
const BAD = {
  sqlite: ["'nope'", "'abc'", "'0000-00-00'"],
  duckdb: [null, "'abc'", null],
  mysql: ["'nope'", "'abc'", "'0000-00-00'"],
  postgresql: ["'nope'", "'abc'", "'no day'"],
} as const

describe.skipIf(!POSTGRES_OWN).each([...SYSTEMS, 'postgresql'] as const)(
  `values of a target, %s, that its source cannot hold ${POSTGRES_MISSING}`,
  (system) => {
    const spoil = async ({ target }: Stage): Promise<void> => {
      const [uid, n, d] = BAD[system]
      await target.sql(
        ...(system === 'mysql' ? ["SET SESSION sql_mode = ''"] : []),
        `INSERT INTO clients VALUES (-5, ${uid ?? 'NULL'}, 1, NULL), (-6, NULL, ${n}, NULL)`,
        ...(uid === null ? [] : [`UPDATE clients SET uid = ${uid} WHERE id IN (7, 8)`]),
        ...(d === null ? [] : [`UPDATE clients SET d = ${d} WHERE id = 9`]),
        `UPDATE clients SET n = ${n} WHERE id IN (10, 11)`,
      )
    }

    test('are reported as differences, and repaired', { timeout: 90_000 }, async () => {
      const place = await makePlaceOf(system)
      if (system === 'postgresql')
        await place.sql('CREATE TABLE clients (id int PRIMARY KEY, uid text, n text, d text)')
      const one = await stageOf(server, VALUES, ['clients'], 1000, place)
      const first = await caughtUp(one)
      expect(first.finished, JSON.stringify(first.finished.error)).toMatchObject({ exitCode: 0 })
      await spoil(one)
      const signed = await signedOff(one)
      expect(signed.finished.error).toMatchObject({ code: 'DIFFERENCES' })
      const keyed = await byHand(one, { by: 'key', keys: ['-5', '8', '9', '10'] }, 'clients')
      expect(keyed.finished, JSON.stringify(keyed.finished.error)).toMatchObject({ exitCode: 0 })
      const { finished } = await perform({ ...one.copy, follow: { until: 'equal' } })
      expect(finished, JSON.stringify(finished.error)).toMatchObject({ exitCode: 0 })
      expect(await place.rows('SELECT count(*) FROM clients WHERE id < 0')).toEqual([['0']])
      const [[noted] = []] = await place.rows('SELECT before_json FROM migration_repairs WHERE row_key = \'["10"]\'')
      expect(noted).toContain('"abc"')
    })

    // DuckDB stores a UUID in its own type.
    test.skipIf(system === 'duckdb')(
      'are an error of the target if rows are found by them',
      { timeout: 60_000 },
      async () => {
        const place = await makePlaceOf(system)
        if (system === 'postgresql') await place.sql('CREATE TABLE k (k text PRIMARY KEY, v int)')
        const one = await stageOf(
          server,
          [
            'CREATE TABLE k (k uuid PRIMARY KEY, v int)',
            'INSERT INTO k SELECT md5(i::text)::uuid, i FROM generate_series(1, 20) i',
          ],
          ['k'],
          1000,
          place,
        )
        expect((await caughtUp(one)).finished.exitCode).toBe(0)
        await place.sql("INSERT INTO k VALUES ('nope', 1)")
        const { finished } = await perform({ ...one.copy, follow: { until: 'equal' } })
        expect(finished, JSON.stringify(finished.error)).toMatchObject({
          exitCode: 4,
          error: { code: 'VALUE_REFUSED', hint: expect.stringMatching(/row of the target by hand/) },
        })
        await place.sql("DELETE FROM k WHERE k = 'nope'")
        expect((await perform({ ...one.copy, follow: { until: 'equal' } })).finished.exitCode).toBe(0)
      },
    )
  },
)

const RATIOS = [
  'CREATE TABLE clients (id int PRIMARY KEY, ratio float8)',
  'INSERT INTO clients SELECT i, i / 8.0 FROM generate_series(1, 200) i',
]

describe.skipIf(!POSTGRES_OWN).each(mysqlMissing === '' ? (['sqlite', 'mysql'] as const) : (['sqlite'] as const))(
  `a row that a target, %s, refuses ${POSTGRES_MISSING}`,
  (system) => {
    const stage = async (): Promise<Stage> => {
      const one = await stageOf(server, RATIOS, ['clients'], 1000, await makePlace(system, folder.path))
      expect((await caughtUp(one)).finished.exitCode).toBe(0)
      return one
    }
    /** More rows than share one transaction of the target with the refused row. */
    const MANY = 'INSERT INTO clients SELECT i, 1 FROM generate_series(1000, 26000) i'

    test('is read again from the source as it is now, and blocks no other row', { timeout: 90_000 }, async () => {
      const one = await stage()
      await one.source.sql(
        `BEGIN; INSERT INTO clients VALUES (-77, 'NaN'), (-76, 1), (-78, 'NaN'); UPDATE clients SET ratio = 'NaN' WHERE id = 5; COMMIT`,
        MANY,
      )
      for (let i = 0; i < 2; i++)
        expect((await caughtUp(one)).finished).toMatchObject({
          exitCode: 4,
          error: {
            code: 'ROW_REFUSED',
            message: expect.stringMatching(/^public\.clients(?:\.ratio)?, row \((?:-77|-78|5)\): /),
            hint: expect.stringMatching(/then run the same command again$/),
          },
        })
      expect(await one.target.rows('SELECT id FROM clients WHERE id < 0')).toEqual([['-76']])
      await one.source.sql(
        'UPDATE clients SET ratio = 1 WHERE id = -77',
        'DELETE FROM clients WHERE id = -78',
        'UPDATE clients SET ratio = 2 WHERE id = 5',
      )
      const { finished } = await perform({ ...one.copy, follow: { until: 'equal' } })
      expect(finished, JSON.stringify(finished.error)).toMatchObject({ exitCode: 0 })
      expect(await one.target.rows('SELECT id FROM clients WHERE id < 0 ORDER BY id')).toEqual([['-77'], ['-76']])
      expect(await one.target.rows('SELECT ratio FROM clients WHERE id = 5')).toEqual([['2']])
      expect(await one.target.rows('SELECT count(*) FROM migration_stream_rereads')).toEqual([['0']])
    })

    test('after a committed part of its transaction is reported with the remedy', { timeout: 90_000 }, async () => {
      const one = await stage()
      await one.source.sql(`BEGIN; ${MANY}; INSERT INTO clients VALUES (-77, 'NaN'); COMMIT`)
      expect((await caughtUp(one)).finished).toMatchObject({ exitCode: 4, error: { code: 'ROW_REFUSED' } })
      await one.source.sql('UPDATE clients SET ratio = 1 WHERE id = -77')
      expect((await caughtUp(one)).finished).toMatchObject({
        exitCode: 4,
        error: {
          message: expect.stringMatching(/^public\.clients(?:\.ratio)?, row \(-77\): /),
          hint: expect.stringMatching(/then run the same command with --resync public\.clients$/),
        },
      })
      const again = await perform({ ...one.copy, follow: { until: 'equal', resync: ['public.clients'] } })
      expect(again.finished, JSON.stringify(again.finished.error)).toMatchObject({ exitCode: 0 })
    })
  },
)

describe.skipIf(!POSTGRES_OWN)(`a target ${POSTGRES_MISSING}`, () => {
  test.each([
    ['binary', ''],
    ['text', ', j json'],
  ])('whose enum lacks a value: the hint adds it, with rows sent as %s', { timeout: 60_000 }, async (_, more) => {
    const type = "CREATE TYPE st AS ENUM ('a', 'b')"
    const target = await makePlaceOf('postgresql')
    await target.sql(type)
    const rows = [type, `CREATE TABLE e (id int PRIMARY KEY, s st${more})`, "INSERT INTO e (id, s) VALUES (1, 'a')"]
    const one = await stageOf(server, rows, ['e'], 1000, target)
    expect((await caughtUp(one)).finished.exitCode).toBe(0)
    await one.source.sql("ALTER TYPE st ADD VALUE 'it''s'")
    await one.source.sql("INSERT INTO e (id, s) VALUES (2, 'it''s'), (3, 'b')")
    const refused = await caughtUp(one)
    expect(refused.finished, JSON.stringify(refused.finished.error)).toMatchObject({
      exitCode: 4,
      error: {
        code: 'ROW_REFUSED',
        hint: expect.stringMatching(
          /^at the target: (ALTER TYPE (?:public\.)?st ADD VALUE 'it''s'), with BEFORE or AFTER another value .*; then run the same command again$/,
        ),
      },
    })
    const [, sql = ''] = /(ALTER TYPE .*?), with/.exec(refused.finished.error?.hint ?? '') ?? []
    await target.sql(sql)
    const { finished } = await perform({ ...one.copy, follow: { until: 'equal' } })
    expect(finished, JSON.stringify(finished.error)).toMatchObject({ exitCode: 0 })
  })

  test('of PostgreSQL names table, key and constraint of a row that it refuses', { timeout: 60_000 }, async () => {
    const target = await makePlaceOf('postgresql')
    const one = await stageOf(server, ['CREATE TABLE e (id int PRIMARY KEY, n int)'], ['e'], 1000, target)
    expect((await caughtUp(one)).finished.exitCode).toBe(0)
    await target.sql('ALTER TABLE e ADD CONSTRAINT small CHECK (n < 10)')
    await one.source.sql('INSERT INTO e VALUES (1, 1), (2, 20), (3, 3), (4, 40)')
    for (let i = 0; i < 2; i++) {
      const { finished } = await caughtUp(one)
      expect(finished, JSON.stringify(finished.error)).toMatchObject({
        exitCode: 4,
        error: {
          code: 'ROW_REFUSED',
          message: expect.stringMatching(/^public\.e, row \([24]\): .*violates check constraint "small"$/),
        },
      })
    }
    await target.sql('ALTER TABLE e DROP CONSTRAINT small')
    const { finished } = await perform({ ...one.copy, follow: { until: 'equal' } })
    expect(finished, JSON.stringify(finished.error)).toMatchObject({ exitCode: 0 })
  })

  test('of PostgreSQL names table and key of a row that it refuses at the commit', { timeout: 60_000 }, async () => {
    const target = await makePlaceOf('postgresql')
    const one = await stageOf(server, ['CREATE TABLE e (id int PRIMARY KEY, n int)'], ['e'], 1000, target)
    expect((await caughtUp(one)).finished.exitCode).toBe(0)
    // As for a login that may not set session_replication_role.
    await target.sql(
      'ALTER TABLE e ADD UNIQUE (n) DEFERRABLE INITIALLY DEFERRED',
      `DO $do$ DECLARE one name; BEGIN
         FOR one IN SELECT tgname FROM pg_trigger WHERE tgrelid = 'e'::regclass LOOP
           EXECUTE format('ALTER TABLE e ENABLE ALWAYS TRIGGER %I', one);
         END LOOP;
       END $do$`,
    )
    await one.source.sql('INSERT INTO e VALUES (1, 1), (2, 20), (3, 20)')
    const { finished } = await caughtUp(one)
    expect(finished, JSON.stringify(finished)).toMatchObject({
      exitCode: 4,
      error: { code: 'ROW_REFUSED', where: 'public.e', reason: 'constraint e_n_key: Key (n)=(20) already exists.' },
    })
  })

  test.each(['d1://account/db', 'cassandra://nowhere.invalid/ks'])(
    'that has no streams is refused before anything is opened: %s',
    async (to) => {
      const from = { url: 'postgresql://nobody@nowhere.invalid/db' }
      const { finished } = await perform(copyOf(from, { url: to }, 't', { follow: {} }))
      expect(finished).toMatchObject({ exitCode: 6, error: { code: 'NOT_FOLLOWABLE', where: to } })
    },
  )
})

test.skipIf(!POSTGRES_OWN)('all types that a new target lacks are reported together', { timeout: 60_000 }, async () => {
  const one = await stageOf(
    server,
    [
      "CREATE TYPE st AS ENUM ('a', 'b')",
      'CREATE DOMAIN dom AS int CHECK (VALUE > 0)',
      'CREATE TABLE t1 (id int PRIMARY KEY, d dom, s st)',
      'CREATE TABLE t2 (id int PRIMARY KEY, s st)',
    ],
    ['t1', 't2'],
  )
  const { finished, events } = await caughtUp(one)
  expect(finished.error).toMatchObject({ code: 'TABLE_REFUSED' })
  expect(finished.error?.message).toMatch(/t1\.d needs the type .*; .*t1\.s needs the type /)
  expect(JSON.stringify(events)).toMatch(/t2\.s needs the type/)
})
