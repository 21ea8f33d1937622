/**
 * A column gets a lossless type while rows are archived: restored rows equal those that ALTER TABLE changed in a second
 * table.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Operation } from '../../src/app/operations/list.ts'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { makePlace, missing, perform, type Place } from '../support/copy-systems.ts'
import { leaveCommands } from '../support/leave-and-return.ts'

let folder: Folder
beforeAll(() => {
  folder = temporaryFolder()
})
afterAll(() => folder[Symbol.dispose]())

/** Null, or the first error of the partitions or of the run. */
async function ended(operation: Operation): Promise<string | null> {
  const { finished, events } = await perform(operation)
  const failed = events.flatMap((event) => (event.type === 'archive.state' && event.error ? [event.error] : []))
  const error = failed[0] ?? finished.error
  return error === undefined ? null : `${error.code}: ${error.message} | ${error.hint ?? ''}`
}

/**
 * @param make statements for both `s` and `twin`
 * @param judge a query of the values of one of them
 * @param refused a lossy change, and the text of its refusal
 */
async function comesBack(
  place: Place,
  { make, change, judge, refused, state }: Lossless,
  more: object = {},
): Promise<void> {
  for (const table of ['s', 'twin']) await place.sql(...make(table))
  const { run, drop, restore, verify } = leaveCommands(place, folder.path, more)
  expect(await ended(run)).toBeNull()
  if (state === 'DROPPED') {
    expect(await ended(drop)).toBeNull()
    expect(await place.rows(judge('s'))).toHaveLength(1)
  }
  for (const table of ['s', 'twin']) await place.sql(...change(table))
  expect(await ended(verify)).toBeNull()
  if (state === 'DROPPED') {
    await place.sql(...refused.there)
    expect(await ended(restore)).toMatch(refused.words)
    await place.sql(...refused.back)
  }
  expect(await ended(restore)).toBeNull()
  const [rows, altered] = [await place.rows(judge('s')), await place.rows(judge('twin'))]
  expect(rows.length).toBeGreaterThan(3)
  expect(rows).toEqual(altered)
  expect(await ended(verify)).toBeNull()
}

/** Native partitions need no time column. */
const byOf = (form: 'plain' | 'native'): object => (form === 'native' ? { by: undefined } : {})

type Lossless = {
  readonly make: (table: string) => readonly string[]
  readonly change: (table: string) => readonly string[]
  readonly judge: (table: string) => string
  readonly refused: { readonly there: readonly string[]; readonly words: RegExp; readonly back: readonly string[] }
  readonly state: 'DETACHED' | 'DROPPED'
}

const STATES = ['DETACHED', 'DROPPED'] as const

describe.each(['plain', 'native'] as const)('PostgreSQL, %s', { timeout: 120_000 }, (form) => {
  test.for(STATES)('%s', async (state, { skip }) => {
    const why = await missing('postgresql')
    if (why !== '') skip(why)
    const place = await makePlace('postgresql', folder.path)
    await place.sql("CREATE TYPE mood AS ENUM ('sad', 'ok')", "CREATE TYPE mood_twin AS ENUM ('sad', 'ok')")
    const values = `(1, '2023-01-01', 0.1, 1.50, 1.50, 'ab  ', 'abc', 'abc', 'sad', 2147483647, -32768, '2023-01-01 00:00:00.123', '2023-01-01 00:00:00+05', 7),
      (2, '2023-02-01', 3.4028235e38, -0.05, 0, '', '', '', 'ok', -1, 1, '2023-01-01 00:00:00', '1999-01-01', 8),
      (3, '2023-03-01', 'NaN', 0.00, 99999999.99, ' x', NULL, 'é', NULL, 0, 0, NULL, NULL, NULL),
      (4, '2023-03-02', '-0', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
      (5, '2023-03-03', 1e-45, 12345678.90, 12345678.90, 'é', 'x', 'x', 'sad', 1, 1, '2000-02-29', '2000-02-29', 9),
      (6, '2026-11-01', 1, 1, 1, '1', '1', '1', 'ok', 1, 1, '2000-01-01', '2000-01-01', 1)`
    const key = form === 'native' ? 'id, d' : 'id'
    await comesBack(
      place,
      {
        state,
        make: (table) => [
          `CREATE TABLE ${table} (id int, d date NOT NULL, r real, n numeric(10,2), w numeric(10,2), c char(10), v varchar(5), vv varchar(5), e ${table === 's' ? 'mood' : 'mood_twin'},
            i int, sm smallint, ts timestamp(3), tz timestamptz(0), x int, PRIMARY KEY (${key}))${form === 'native' ? ' PARTITION BY RANGE (d)' : ''}`,
          ...(form === 'native'
            ? [
                `CREATE TABLE "${table === 's' ? '' : 'twin'}2023-Q1" PARTITION OF ${table} FOR VALUES FROM ('2023-01-01') TO ('2023-04-01')`,
                `CREATE TABLE ${table}_rest PARTITION OF ${table} DEFAULT`,
              ]
            : []),
          `INSERT INTO ${table} VALUES ${values}`,
        ],
        change: (table) => [
          `ALTER TABLE ${table} ALTER r TYPE double precision, ALTER n TYPE numeric, ALTER w TYPE numeric(14,4), ALTER c TYPE text, ALTER v TYPE text, ALTER vv TYPE varchar(50),
            ALTER i TYPE bigint, ALTER sm TYPE int, ALTER ts TYPE timestamp(6), ALTER tz TYPE timestamptz(6)`,
          `ALTER TYPE ${table === 's' ? 'mood' : 'mood_twin'} ADD VALUE 'happy' BEFORE 'ok'`,
        ],
        judge: (table) => `SELECT t::text, float8send(r)::text, octet_length(c), scale(n) FROM ${table} t ORDER BY id`,
        refused: {
          there: ['ALTER TABLE s ALTER x TYPE text'],
          words: /cannot be restored: x was integer and is text \| make it x integer again, run the same command, then/,
          back: ['ALTER TABLE s ALTER x TYPE int USING x::int'],
        },
      },
      byOf(form),
    )
  })
})

describe.each(['plain', 'native'] as const)('PostgreSQL, json that becomes jsonb, %s', { timeout: 120_000 }, (form) => {
  const VALUES = [
    '{"b":1, "aa":2,"a" : [1.50, 1e2, -0, -0.00, 1E-3, 1.5e1, 12e+3, 0e5, 0e-3, 100.0e-1, true,null]}',
    String.raw`{"z\u00e9\n\u0001\/\"\\":"\ud83d\ude00 \b\f\r\t\u007f é", "é":1, "ab":{}, "zz":[]}`,
    '"text"',
    ' [ ] ',
    'null',
    '123456789012345678901234567890.10e-5',
  ]
  async function archived(place: Place, more: readonly string[] = []): Promise<ReturnType<typeof leaveCommands>> {
    for (const table of ['s', 'twin']) {
      await place.sql(
        `CREATE TABLE ${table} (id int, d date NOT NULL, j json, PRIMARY KEY (${form === 'native' ? 'id, d' : 'id'}))${form === 'native' ? ' PARTITION BY RANGE (d)' : ''}`,
        ...(form === 'native'
          ? [
              `CREATE TABLE "${table === 's' ? '' : 'twin'}2023-Q1" PARTITION OF ${table} FOR VALUES FROM ('2023-01-01') TO ('2023-04-01')`,
              `CREATE TABLE ${table}_rest PARTITION OF ${table} DEFAULT`,
            ]
          : []),
        `INSERT INTO ${table} VALUES ${[...VALUES, ...more].map((json, i) => `(${i + 1}, '2023-01-0${i + 1}', '${json}')`).join(', ')}, (98, '2023-02-01', NULL), (99, '2026-11-01', '{}')`,
      )
    }
    const commands = leaveCommands(place, folder.path, byOf(form))
    expect(await ended(commands.run)).toBeNull()
    expect(await ended(commands.drop)).toBeNull()
    return commands
  }

  test('is restored as ALTER TABLE would have changed it', async ({ skip }) => {
    const why = await missing('postgresql')
    if (why !== '') skip(why)
    const place = await makePlace('postgresql', folder.path)
    const { restore, verify } = await archived(place)
    for (const table of ['s', 'twin']) await place.sql(`ALTER TABLE ${table} ALTER j TYPE jsonb`)
    expect(await ended(restore)).toBeNull()
    const judge = (table: string): Promise<unknown> => place.rows(`SELECT t::text, j::text FROM ${table} t ORDER BY id`)
    expect(await place.rows('SELECT * FROM s')).toHaveLength(VALUES.length + 2)
    expect(await judge('s')).toEqual(await judge('twin'))
    expect(await ended(verify)).toBeNull()
  })

  test.for([
    ['{"a":1, "b":{"a":1,"a":2}}', /two values of "a"/],
    [String.raw`{"a":"\u0000"}`, /U\+0000/],
    [String.raw`["\ud800"]`, /a surrogate without its pair/],
  ] as const)('the error names the row whose jsonb would lose data: %s', async ([json, words], { skip }) => {
    const why = await missing('postgresql')
    if (why !== '') skip(why)
    const place = await makePlace('postgresql', folder.path)
    const { restore, verify } = await archived(place, [json])
    await place.sql('ALTER TABLE s ALTER j TYPE jsonb')
    const { finished, events } = await perform(restore)
    const failed = events.flatMap((event) => (event.type === 'archive.state' && event.error ? [event.error] : []))
    const error = failed[0] ?? finished.error
    expect(error).toMatchObject({
      code: 'VALUE_REFUSED',
      where: expect.stringContaining('id = 7'),
      hint: expect.stringContaining('back to json'),
    })
    expect(error?.message).toMatch(words)
    expect(await place.rows('SELECT id FROM s')).toHaveLength(1)
    expect(await ended(verify)).toBeNull()
    await place.sql('ALTER TABLE s ALTER j TYPE json')
    expect(await ended(restore)).toBeNull()
    expect(await place.rows('SELECT j::text FROM s WHERE id = 7')).toEqual([[json]])
  })
})

test.for(STATES)('MySQL: %s', { timeout: 120_000 }, async (state, { skip }) => {
  const why = await missing('mysql')
  if (why !== '') skip(why)
  const place = await makePlace('mysql', folder.path)
  const values = `(1, '2023-01-01', 0.1, 1.50, 'ab', 'abc', 'abc', 'a', 'a,b', 2147483647, 4294967295, -32768, '2023-01-01 00:00:00.123', 7),
    (2, '2023-02-01', 3.4028235e38, -0.05, '', '', '', 'b', '', -1, 0, 1, '2023-01-01 00:00:00', 8),
    (3, '2023-03-01', 16777217, 99999999.99, 'é', NULL, 'é', 'nonsense', 'b', 0, 1, 0, NULL, NULL),
    (4, '2023-03-02', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (5, '2023-03-03', -1e-30, 12345678.90, 'x', 'x', 'x', 'a', 'a', 1, 1, 1, '2000-02-29', 9),
    (6, '2026-11-01', 1, 1, '1', '1', '1', 'a', 'a', 1, 1, 1, '2000-01-01', 1)`
  await comesBack(place, {
    state,
    make: (table) => [
      `CREATE TABLE ${table} (id int PRIMARY KEY, d date NOT NULL, r float, n decimal(10,2), c char(10), v varchar(5), c2 char(5), e enum('a','b'), st set('a','b'),
        i int, u int unsigned, sm smallint, ts datetime(3), x int, dc decimal(38,10) DEFAULT 1.50, dl decimal(40,10) DEFAULT -0.5)`,
      "SET SESSION sql_mode = ''",
      `INSERT INTO ${table} (id, d, r, n, c, v, c2, e, st, i, u, sm, ts, x) VALUES ${values}`,
    ],
    change: (table) => [
      "SET SESSION sql_mode = ''",
      `ALTER TABLE ${table} MODIFY r double, MODIFY n decimal(14,4), MODIFY c varchar(20), MODIFY v varchar(50), MODIFY c2 text, MODIFY e enum('a','b','c'), MODIFY st set('a','b','c'),
        MODIFY i bigint, MODIFY u bigint unsigned, MODIFY sm int, MODIFY ts datetime(6), MODIFY dc decimal(40,10), MODIFY dl decimal(50,10)`,
    ],
    judge: (table) =>
      `SELECT id, d, CAST(r AS CHAR), r = CAST(CAST(r AS FLOAT) AS DOUBLE), n, HEX(c), HEX(v), HEX(c2), e + 0, HEX(e), st + 0, HEX(st), i, u, sm, ts, x, dc, dl FROM ${table} ORDER BY id`,
    refused: {
      there: ['ALTER TABLE s MODIFY x varchar(20)'],
      words: /cannot be restored: x was int(?:\(11\))? and is varchar\(20\)/,
      back: ['ALTER TABLE s MODIFY x int'],
    },
  })
})

test.for(STATES)('SQLite: %s', async (state) => {
  const place = await makePlace('sqlite', folder.path)
  const columns = (types: Readonly<Record<string, string>>): string =>
    `id INTEGER PRIMARY KEY, d date NOT NULL, ${Object.entries(types)
      .map(([name, type]) => `${name} ${type}`)
      .join(', ')}`
  const before = { i: 'INT', v: 'VARCHAR(5)', c: 'CHAR(3)', r: 'REAL', sm: 'SMALLINT', x: 'INTEGER' }
  const after = { i: 'BIGINT', v: 'TEXT', c: 'VARCHAR(9)', r: 'DOUBLE PRECISION', sm: 'INTEGER', x: 'INTEGER' }
  const anew = (table: string, types: Readonly<Record<string, string>>): readonly string[] => [
    `CREATE TABLE n (${columns(types)})`,
    `INSERT INTO n SELECT * FROM ${table}`,
    `DROP TABLE ${table}`,
    `ALTER TABLE n RENAME TO ${table}`,
  ]
  await comesBack(place, {
    state,
    make: (table) => [
      `CREATE TABLE ${table} (${columns(before)})`,
      `INSERT INTO ${table} VALUES (1, '2023-01-01', 9223372036854775807, 'abc', 'ab ', 0.1, 1, 7), (2, '2023-02-01', -1, '', '', 1e300, 2, 8),
        (3, '2023-03-01', 0, 'é', 'x', -0.0, 0, NULL), (4, '2023-03-02', NULL, NULL, NULL, NULL, NULL, NULL), (6, '2026-11-01', 1, '1', '1', 1, 1, 1)`,
    ],
    change: (table) => anew(table, after),
    judge: (table) =>
      `SELECT id, d, typeof(i), quote(i), typeof(v), quote(v), quote(c), typeof(r), quote(r), typeof(sm), quote(sm), quote(x) FROM ${table} ORDER BY id`,
    refused: {
      there: anew('s', { ...after, x: 'BLOB' }),
      words: /cannot be restored: x was INTEGER and is BLOB/,
      back: anew('s', after),
    },
  })
})
