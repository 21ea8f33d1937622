/**
 * A result saved as Parquet has the types of its database, checked value by value in DuckDB; other values become text,
 * and their columns are reported.
 */
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { RunningAnswer } from '../../src/app/ask/running-answer.ts'
import type { Saved } from '../../src/app/ask/port.ts'
import { scratchDatabase } from '../../src/stores/parquet.ts'
import type { SqlRow } from '../../src/model/run/sql-port.ts'
import { temporaryFolder } from '../support/catalog-kit.ts'
import { perform } from './operation-kit.ts'
import { makePlace, missing, type Place } from '../support/copy-systems.ts'

async function saved(place: Place, sql: string, path: string): Promise<Saved> {
  const question = { place: { kind: 'database', url: place.url }, sql, explain: false } as const
  await using answer = new RunningAnswer(question, () => undefined)
  await answer.ended
  expect(answer.progress.error).toBeNull()
  return await answer.save({ path, format: 'parquet', overwrite: true })
}

/** Types of the columns, and the values as DuckDB prints them. */
async function readBack(path: string): Promise<{ types: Record<string, string>; rows: readonly SqlRow[] }> {
  await using duckdb = await scratchDatabase()
  const columns = await duckdb.all(`SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM '${path}')`)
  const names = columns.map(([name]) => `CAST("${String(name)}" AS VARCHAR)`)
  await duckdb.all("SET TimeZone = 'UTC'").catch(() => [])
  const rows = await duckdb.all(`SELECT ${names.join(', ')} FROM '${path}' ORDER BY "id"`)
  return { types: Object.fromEntries(columns.map(([name, type]) => [String(name), String(type)])), rows }
}

const TYPED = {
  id: 'INTEGER',
  big: 'BIGINT',
  amount: 'DECIMAL(38,10)',
  small: 'DECIMAL(5,2)',
  day: 'DATE',
  moment: 'TIMESTAMP',
  zoned: 'TIMESTAMP WITH TIME ZONE',
  clock: 'TIME',
  code: 'UUID',
  yes: 'BOOLEAN',
  real: 'DOUBLE',
  word: 'VARCHAR',
}
const ROWS = [
  [
    '1',
    '9223372036854775807',
    '9999999999999999999999999999.9999999999',
    '-999.99',
    '9999-12-31',
    '9999-12-31 23:59:59.999999',
    '2024-06-30 21:59:59.999999+00',
    '23:59:59.999999',
    'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
    'true',
    '0.1',
    '007',
  ],
  [
    '2',
    '-9223372036854775808',
    '-9999999999999999999999999999.9999999999',
    '0.00',
    '0001-01-01',
    '0001-01-01 00:00:00',
    '1969-12-31 23:59:59+00',
    '00:00:00',
    '00000000-0000-0000-0000-000000000000',
    'false',
    '-1.7976931348623157e+308',
    '2024-01-01',
  ],
  ['3', null, null, null, null, null, null, null, null, null, null, null],
]
const VALUES = `(1, 9223372036854775807, 9999999999999999999999999999.9999999999, -999.99, '9999-12-31', '9999-12-31 23:59:59.999999', '2024-06-30 23:59:59.999999+02', '23:59:59.999999', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', true, 0.1, '007'),
  (2, -9223372036854775808, -9999999999999999999999999999.9999999999, 0, '0001-01-01', '0001-01-01 00:00:00', '1970-01-01 00:59:59+01', '00:00:00', '00000000-0000-0000-0000-000000000000', false, -1.7976931348623157e308, '2024-01-01'),
  (3, null, null, null, null, null, null, null, null, null, null, null)`

const MISSING = {
  postgresql: await missing('postgresql'),
  duckdb: await missing('duckdb'),
  mysql: await missing('mysql'),
}

describe.each(['postgresql', 'duckdb'] as const)('%s', (system) => {
  it.skipIf(MISSING[system] !== '')('writes each declared type', { timeout: 60_000 }, async () => {
    using folder = temporaryFolder()
    const place = await makePlace(system, folder.path)
    await place.sql(
      'CREATE TABLE t (id integer, big bigint, amount numeric(38,10), small numeric(5,2), day date, moment timestamp, zoned timestamptz, clock time, code uuid, yes boolean, "real" double precision, word varchar(20))',
      `INSERT INTO t VALUES ${VALUES}`,
    )
    const path = join(folder.path, 'a.parquet')
    expect(await saved(place, 'SELECT * FROM t', path)).toMatchObject({ rows: 3, asText: [] })
    expect(await readBack(path)).toEqual({ types: TYPED, rows: ROWS })
    // `sql` shows booleans like the server and `archive query`.
    const query = 'SELECT yes, id FROM t ORDER BY id'
    const { events } = await perform({ kind: 'sql', catalog: place.url, query, limit: 10, format: 'table' })
    expect(events.flatMap((event) => (event.type === 'row' ? [event.values] : []))).toEqual([
      [true, 1],
      [false, 2],
      [null, 3],
    ])
    // Without rows, too.
    expect(await saved(place, 'SELECT * FROM t WHERE id > 9', path)).toMatchObject({ rows: 0, asText: [] })
    expect((await readBack(path)).types).toEqual(TYPED)
  })

  it.skipIf(MISSING[system] !== '')(
    'writes a column with a value of another type as text, and reports it',
    { timeout: 60_000 },
    async () => {
      using folder = temporaryFolder()
      const place = await makePlace(system, folder.path)
      await place.sql(
        'CREATE TABLE t (id integer, day date, moment timestamp, zoned timestamptz, early date)',
        `INSERT INTO t VALUES (1, '2024-01-01', '2024-01-01 00:00:00', '2024-01-01 00:00:00+00', '2024-01-01'), (2, 'infinity', '-infinity', 'infinity', '${system === 'duckdb' ? '0044-03-15 (BC)' : '0044-03-15 BC'}')`,
      )
      const path = join(folder.path, 'b.parquet')
      const reported = await saved(place, 'SELECT * FROM t', path)
      expect(reported).toMatchObject({ rows: 2, asText: ['day', 'moment', 'zoned', 'early'] })
      const { types, rows } = await readBack(path)
      expect(types).toMatchObject({
        id: 'INTEGER',
        day: 'VARCHAR',
        moment: 'VARCHAR',
        zoned: 'VARCHAR',
        early: 'VARCHAR',
      })
      expect(rows[1]?.slice(0, 4)).toEqual(['2', 'infinity', '-infinity', 'infinity'])
      expect(rows[1]?.[4]).toMatch(/^0044-03-15 .*BC/)
    },
  )
})

it.skipIf(MISSING.postgresql !== '')('PostgreSQL: NaN, and unbounded numeric', { timeout: 60_000 }, async () => {
  using folder = temporaryFolder()
  const place = await makePlace('postgresql', folder.path)
  const path = join(folder.path, 'c.parquet')
  const sql =
    "SELECT 1 AS id, CAST('NaN' AS numeric(9,2)) AS nan, CAST('1.50' AS numeric) AS free, CAST('1.5' AS real) AS single, CAST('24:00' AS time) AS late, CAST('12:00+02' AS timetz) AS zoned"
  expect(await saved(place, sql, path)).toMatchObject({ asText: ['nan', 'free', 'late'] })
  expect(await readBack(path)).toEqual({
    types: { id: 'INTEGER', nan: 'VARCHAR', free: 'VARCHAR', single: 'FLOAT', late: 'VARCHAR', zoned: 'VARCHAR' },
    rows: [['1', 'NaN', '1.50', '1.5', '24:00:00', '12:00:00+02']],
  })
})

it.skipIf(MISSING.mysql !== '')('MariaDB', { timeout: 60_000 }, async () => {
  using folder = temporaryFolder()
  const place = await makePlace('mysql', folder.path)
  await place.sql(
    'CREATE TABLE t (id int, big bigint, huge bigint unsigned, tiny tinyint(1), amount decimal(38,10), plain decimal(5,0) unsigned, day date, at datetime(6), zoned timestamp(6) NULL, clock time(6), long_clock time, r double, word varchar(20), zero date)',
    `SET STATEMENT sql_mode = '', time_zone = '+02:00' FOR INSERT INTO t VALUES (1, 9223372036854775807, 18446744073709551615, 2, 9999999999999999999999999999.9999999999, 99999, '9999-12-31', '9999-12-31 23:59:59.999999', '2024-06-30 23:59:59.999999', '23:59:59.999999', '838:59:59', 0.1, '007', '0000-00-00'),
       (2, -9223372036854775808, 0, -1, -0.0000000001, 0, '1000-01-01', '1000-01-01 00:00:00', '1970-01-02 00:00:00', '00:00:00', '00:00:01', -1, '', '2024-01-01')`,
  )
  const path = join(folder.path, 'm.parquet')
  const reported = await saved(place, 'SELECT * FROM t', path)
  expect(reported).toMatchObject({ rows: 2, asText: ['long_clock', 'zero'] })
  const { types, rows } = await readBack(path)
  expect(types).toEqual({
    id: 'INTEGER',
    big: 'BIGINT',
    huge: 'DECIMAL(38,0)',
    tiny: 'SMALLINT',
    amount: 'DECIMAL(38,10)',
    plain: 'DECIMAL(5,0)',
    day: 'DATE',
    at: 'TIMESTAMP',
    zoned: 'TIMESTAMP WITH TIME ZONE',
    clock: 'TIME',
    long_clock: 'VARCHAR',
    r: 'DOUBLE',
    word: 'VARCHAR',
    zero: 'VARCHAR',
  })
  expect(rows[0]?.filter((_, at) => at !== 8)).toEqual([
    '1',
    '9223372036854775807',
    '18446744073709551615',
    '2',
    '9999999999999999999999999999.9999999999',
    '99999',
    '9999-12-31',
    '9999-12-31 23:59:59.999999',
    '23:59:59.999999',
    '838:59:59',
    '0.1',
    '007',
    '0000-00-00',
  ])
  expect(rows[1]?.filter((_, at) => at !== 8)).toEqual([
    '2',
    '-9223372036854775808',
    '0',
    '-1',
    '-0.0000000001',
    '0',
    '1000-01-01',
    '1000-01-01 00:00:00',
    '00:00:00',
    '00:00:01',
    '-1.0',
    '',
    '2024-01-01',
  ])
  // An instant is the same in any time zone of the session that wrote it.
  expect(rows.map((row) => row[8])).toEqual(['2024-06-30 21:59:59.999999+00', '1970-01-01 22:00:00+00'])
})

it('SQLite: a column has its declared type if all its values do', { timeout: 60_000 }, async () => {
  using folder = temporaryFolder()
  const place = await makePlace('sqlite', folder.path)
  await place.sql(
    'CREATE TABLE t (id integer, amount decimal(10,2), whole decimal(10,2), day date, at datetime, zoned timestamptz, code uuid, yes boolean, mixed date, word text)',
    `INSERT INTO t VALUES (-9223372036854775808, 0.1, 7, '2024-02-29', '2024-01-01 00:00:00.5', '2024-01-01T00:00:00+02:00', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 1, '2024-01-01', '007'),
       (9223372036854775807, 2, -7, '0001-01-01', '2024-01-01 00:00:00', '2024-01-01T00:00:00Z', NULL, 0, 20240101, 'x')`,
  )
  const path = join(folder.path, 's.parquet')
  expect(await saved(place, 'SELECT * FROM t', path)).toMatchObject({ asText: ['mixed'] })
  expect(await readBack(path)).toEqual({
    types: {
      id: 'BIGINT',
      amount: 'DOUBLE',
      whole: 'DECIMAL(10,2)',
      day: 'DATE',
      at: 'TIMESTAMP',
      zoned: 'TIMESTAMP WITH TIME ZONE',
      code: 'UUID',
      yes: 'BOOLEAN',
      mixed: 'VARCHAR',
      word: 'VARCHAR',
    },
    rows: [
      [
        '-9223372036854775808',
        '0.1',
        '7.00',
        '2024-02-29',
        '2024-01-01 00:00:00.5',
        '2023-12-31 22:00:00+00',
        'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
        'true',
        '2024-01-01',
        '007',
      ],
      [
        '9223372036854775807',
        '2.0',
        '-7.00',
        '0001-01-01',
        '2024-01-01 00:00:00',
        '2024-01-01 00:00:00+00',
        null,
        'false',
        '20240101',
        'x',
      ],
    ],
  })
})
