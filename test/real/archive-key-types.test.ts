/**
 * All key types of each system: rows leave by key while a late row stays, are queried in the archive, and return with
 * their values.
 */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Operation } from '../../src/app/operations/list.ts'
import { commandsOf, countedBy } from '../support/archive-places.ts'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { makePlace, missing, perform, type Place, type System } from '../support/copy-systems.ts'

/**
 * One or more key columns, and three values in SQL: two are archived and one arrives late. `asText`: stored as text.
 */
type Key = readonly [name: string, columns: string, values: readonly [string, string, string], asText?: string]

const KEYS: Readonly<Record<'postgresql' | 'mysql' | 'sqlite', readonly Key[]>> = {
  postgresql: [
    ['bytea', 'k bytea', [`'\\x0102'`, `''`, `'\\x5c7830'`]],
    ['uuid', 'k uuid', [1, 2, 3].map((n) => `'00000000-0000-4000-8000-00000000000${n}'`) as never],
    ['bits', 'k varbit(9)', [`B'101'`, `B''`, `B'1010'`]],
    ['bit', 'k bit(3)', [`B'101'`, `B'000'`, `B'111'`]],
    ['inet', 'k inet', [`'10.0.0.1/8'`, `'::1'`, `'10.0.0.1'`]],
    ['numbers', 'k numeric', [`'NaN'`, `'1.50'`, `'-0.000000000000000000001'`]],
    ['moment', 'k timestamptz', [`'2020-01-01 00:00:00.000001+02'`, `'infinity'`, `'0044-03-15 00:00:00+00 BC'`], 'k'],
    [
      'zoned',
      'k timestamptz',
      [`'2020-01-01 00:00:00.000001+02'`, `'1969-12-31 23:59:59+00'`, `'9999-12-31 00:00:00+00'`],
    ],
    ['day', 'k date', [`'2020-02-29'`, `'9999-12-31'`, `'0001-01-01'`]],
    ['padded', 'k char(5)', [`'a'`, `''`, `'a b'`]],
    ['words', 'k text', [`''`, `'\\x00'`, `'é'',"'`]],
    ['enumerated', 'k mood', [`'sad'`, `'b,c'`, `'\\x01'`]],
    ['truth', 'k boolean, n int', ['true, 1', 'false, 1', 'true, 2']],
    ['whole', 'k bigint', ['-9223372036854775808', '0', '9223372036854775807']],
    ['clock', 'k time', [`'24:00'`, `'00:00'`, `'12:00:00.5'`]],
    ['span', 'k interval', [`'1 day'`, `'-1 month'`, `'25:00'`]],
    ['middle', 'a int, k bytea, z text', [`1, '\\x00', 'a'`, `1, '\\x0000', ''`, `1, '', '\\x00'`]],
  ],
  mysql: [
    ['binary', 'k binary(16)', [`x'00112233445566778899aabbccddeeff'`, `x'00'`, `x'20112233445566778899aabbccddeeff'`]],
    ['varbinary', 'k varbinary(8)', [`x'0100'`, `x'01'`, `x''`]],
    ['bits', 'k bit(12)', [`b'101'`, `b'0'`, `b'111111111111'`]],
    ['unsigned', 'k bigint unsigned', ['18446744073709551615', '0', '9223372036854775808']],
    ['decimals', 'k decimal(30,10)', [`'1.5'`, `'-0.0000000001'`, `'12345678901234567890.0000000001'`]],
    ['stamp', 'k timestamp(6)', [`'2020-01-01 00:00:00.000001'`, `'2021-01-01'`, `'2022-01-01'`]],
    ['moment', 'k datetime(3)', [`'2020-01-01 00:00:00.001'`, `'9999-12-31 23:59:59.999'`, `'2022-01-01'`]],
    ['day', 'k date', [`'2020-02-29'`, `'9999-12-31'`, `'1000-01-01'`]],
    ['clock', 'k time(2)', [`'-838:59:59'`, `'00:00'`, `'12:00:00.5'`]],
    ['padded', 'k char(5)', [`'a'`, `''`, `'é'`]],
    ['words', 'k varchar(20) collate utf8mb4_bin', [`'A'`, `'a'`, `'\\\\x00'`]],
    ['enumerated', `k enum('sad','b,c','x''y')`, [`'sad'`, `'b,c'`, `'x''y'`]],
    ['several', `k set('a','b','c')`, [`'a,b'`, `''`, `'c'`]],
    ['year', 'k year', ['2020', '1901', '2155']],
    ['truth', 'k boolean, n int', ['true, 1', 'false, 1', 'true, 2']],
    ['middle', 'a int, k binary(4), z varchar(9)', [`1, x'00ff', 'a'`, `1, x'00000001', ''`, `2, x'00ff', '\\\\x00'`]],
  ],
  sqlite: [
    ['blobs', 'k blob', [`x'0102'`, `x''`, `x'5c7830'`]],
    ['loose', 'k', [`x'31'`, `'1'`, '1'], 'k'],
    ['mixed', 'k blob, n any', [`x'00', 1.5`, `x'00', 'x''31'''`, `x'00', x'31'`], 'n'],
    ['words', 'k text', [`''`, `'\\x00'`, `'é'',"'`]],
    ['decimals', 'k decimal(10,2)', [`1.5`, `-3`, `0.25`]],
    ['whole', 'k integer', ['-9223372036854775808', '0', '9223372036854775807']],
    ['uuid', 'k uuid', [1, 2, 3].map((n) => `'00000000-0000-4000-8000-00000000000${n}'`) as never],
    ['truth', 'k boolean, n int', ['true, 1', 'false, 1', 'true, 2']],
    ['moment', 'k datetime', [`'2020-01-01 00:00:00.001'`, `'9999-12-31 23:59:59.999'`, `'2022-01-01 00:00:00'`]],
    ['day', 'k date', [`'2020-02-29'`, `'9999-12-31'`, `'0001-01-01'`]],
    ['texted', 'k blob', [`x'ff00'`, `'x''ff00'''`, `x'5c7830'`], 'k'],
    ['middle', 'a int, k blob, z text', [`1, x'00', 'a'`, `1, x'0000', ''`, `1, x'', '\\x00'`]],
  ],
}

const SYSTEMS = Object.keys(KEYS) as (keyof typeof KEYS)[]
const WITHOUT = new Map(await Promise.all(SYSTEMS.map(async (one) => [one, await missing(one)] as const)))

let folder: Folder
beforeAll(() => void (folder = temporaryFolder()))
afterAll(() => folder[Symbol.dispose]())

describe.each(SYSTEMS)('%s', (system) => {
  let place: Place
  beforeAll(async () => {
    if (WITHOUT.get(system) !== '') return
    place = await makePlace(system, folder.path)
    if (system === 'postgresql') await place.sql(`CREATE TYPE mood AS ENUM ('sad', 'b,c', '\\x01')`)
  })

  test.skipIf(WITHOUT.get(system) !== '')(
    'rows leave by keys of any type, and are restored',
    { timeout: 300_000 },
    async () => {
      const tables = tablesOf(KEYS[system]).map((keys) => tableOf(system, place, keys))
      for (const { made } of tables) await place.sql(...made)
      const { run } = commandsOf({ place, form: 'plain', to: join(folder.path, `to-${system}`) })
      const drop = (table: string): Operation => ({ ...run, tables: [table], drop: true, confirm: table }) as Operation
      const wrong: string[] = []
      const same = (name: string, what: string, is: unknown, wanted: unknown): void => {
        if (JSON.stringify(is) !== JSON.stringify(wanted))
          wrong.push(`${name}, ${what}: ${JSON.stringify(is)}, not ${JSON.stringify(wanted)}`)
      }
      const plain = tables.filter(({ asText }) => asText.length === 0).map(({ name }) => name)
      same('all', 'archived', await ended({ ...run, tables: plain } as Operation), '')
      for (const { name, asText } of tables)
        if (asText.length > 0) same(name, 'archived', await ended({ ...run, tables: [name], asText } as Operation), '')
      for (const { late } of tables) await place.sql(late)
      const before = new Map<string, readonly string[]>()
      for (const { name, rows, lateRows } of tables) {
        before.set(name, await rows())
        // Each archived row is found by its key; the late rows stay.
        same(name, 'dropped', await ended(drop(name)), '')
        same(name, 'left', (await rows()).length, lateRows)
      }
      // The late rows are archived as a further part.
      const every = tables.map(({ name }) => name)
      same('all', 'archived again', await ended({ ...run, tables: every } as Operation), '')
      for (const { name, rows, counted } of tables) {
        same(name, 'dropped again', [await ended(drop(name)), await rows()], ['', []])
        same(name, 'asked', await asked(place, name), counted)
        const partitions = ['2020-Q1', '2020-Q1.part2']
        const restore = { kind: 'restore', from: place.url, table: name, partitions, dryRun: false } as const
        same(name, 'restored', await ended(restore), '')
        same(name, 'back', await rows(), before.get(name))
      }
      expect(wrong).toEqual([])
    },
  )
})

test.each(['postgresql', 'mysql'] as const)(
  'bytes of a key are not stored as text in %s',
  { timeout: 60_000 },
  async (system) => {
    if (WITHOUT.get(system) !== '') return
    const place = await makePlace(system, folder.path)
    const [bytes, at] = system === 'mysql' ? ['varbinary(8)', 'datetime'] : ['bytea', 'timestamp']
    await place.sql(
      `CREATE TABLE texted (k ${bytes} NOT NULL, b ${bytes}, at ${at} NOT NULL, PRIMARY KEY (k))`,
      `INSERT INTO texted VALUES ('A', 'A', '2020-02-02 00:00:00')`,
    )
    const { run } = commandsOf({ place, form: 'plain', to: join(folder.path, `to-texted-${system}`) })
    for (const dryRun of [true, false]) {
      const { finished } = await perform({ ...run, tables: ['texted'], asText: ['b', 'k'], dryRun } as Operation)
      expect(finished.error).toMatchObject({
        code: 'BAD_FLAG',
        message: expect.stringContaining('k is a bytes column in the key'),
      })
    }
    expect(await ended({ ...run, tables: ['texted'], asText: ['b'] } as Operation)).toBe('')
  },
)

/** A key type, two texts of one value, and the count that a query reports after the second text replaced the first. */
const RESPELLED: readonly (readonly [type: string, first: string, second: string, counted: string, before: string])[] =
  [
    ['numeric', `'5.0'`, `'5.00'`, '2', ''],
    ['interval', `'1 mon 1 day -01:00'`, `'31 days -01:00'`, '2', ''],
    ['interval[]', `'{1 mon,24:00}'`, `'{30 days,1 day}'`, '2', ''],
    ['span', `'{5.0 days}'`, `'{120:00}'`, 'PARTITION_STATE', 'CREATE DOMAIN span AS interval[]'],
    ['jsonb', `'{"n": 5.0}'`, `'{"n": 5.00}'`, 'PARTITION_STATE', ''],
    ['numeric[]', `'{5.0,1}'`, `'{5.00,1}'`, 'PARTITION_STATE', ''],
    ['numrange', `'[5.0,6.1)'`, `'[5.00,6.10)'`, 'PARTITION_STATE', ''],
    ['price', `'5.0'`, `'5.00'`, 'PARTITION_STATE', 'CREATE DOMAIN price AS numeric'],
    ['citext', `'a'`, `'A'`, 'PARTITION_STATE', 'CREATE EXTENSION IF NOT EXISTS citext'],
    ['word', `'a'`, `'A'`, 'PARTITION_STATE', 'CREATE EXTENSION IF NOT EXISTS citext; CREATE DOMAIN word AS citext'],
  ]

test.skipIf(WITHOUT.get('postgresql') !== '')(
  'PostgreSQL: a key that is written otherwise is the same key in a query, and for a late row',
  { timeout: 180_000 },
  async () => {
    const place = await makePlace('postgresql', folder.path)
    const tables = RESPELLED.map(([type, first, second, counted], i) => ({
      name: `kept_${i}`,
      label: `${type}, ${first} and ${second}`,
      type,
      first,
      second,
      counted,
      later: first === `'a'` ? `'z'` : first.replace('5.0', '4').replace('1 mon', '9 mons'),
    }))
    await place.sql(...RESPELLED.map(([, , , , before]) => before).filter((before) => before !== ''))
    for (const { name, type, first, later } of tables)
      await place.sql(
        `CREATE TABLE ${name} (at timestamp NOT NULL, v int, k ${type} PRIMARY KEY)`,
        `INSERT INTO ${name} VALUES ('2020-02-02 00:00:00', 1, ${first}), ('2090-02-02 00:00:00', 2, ${later})`,
      )
    const { run } = commandsOf({ place, form: 'plain', to: join(folder.path, 'to-respelled') })
    const archive = { ...run, tables: tables.map(({ name }) => name) } as Operation
    const count = async (name: string) => await place.rows(`SELECT count(*) FROM ${name}`)
    expect(await ended(archive)).toBe('')
    for (const { name, label, first, second, counted } of tables) {
      const drop = { ...run, tables: [name], drop: true, confirm: name } as Operation
      await place.sql(`UPDATE ${name} SET k = ${second} WHERE v = 1`)
      const query = { kind: 'query', from: place.url, table: name, query: `SELECT count(*) FROM ${name}` } as const
      const found = await countedBy({ ...query, limit: 10, format: 'table' })
      expect(found.ran.finished.error?.code ?? found.counted, label).toBe(counted)
      // The changed row is neither deleted nor late: it differs from the archived one.
      expect(await ended(drop), label).toContain('PARTITION_CHANGED')
      expect(await count(name), label).toEqual([['2']])
      await place.sql(`UPDATE ${name} SET k = ${first} WHERE v = 1`)
      expect(await ended(drop), label).toBe('')
      expect(await place.rows(`SELECT v FROM ${name}`), label).toEqual([['2']])
      await place.sql(`INSERT INTO ${name} VALUES ('2020-02-02 00:00:00', 1, ${second})`)
    }
    const { events } = await perform(archive)
    for (const { name, label } of tables) {
      const late = JSON.stringify(
        events.filter(
          (event) => event.type === 'archive.state' && event.table.endsWith(name) && event.error !== undefined,
        ),
      )
      expect(late, label).toContain('PARTITION_CHANGED')
      expect(late, label).toContain('1 row has a key that')
      expect(await count(name), label).toEqual([['2']])
    }
  },
)

describe('floating point numbers in a key', () => {
  test.each(SYSTEMS)('are refused in %s before a row is removed', { timeout: 60_000 }, async (system) => {
    if (WITHOUT.get(system) !== '') return
    const place = await makePlace(system, folder.path)
    const at = system === 'postgresql' ? 'timestamp' : 'datetime'
    await place.sql(
      `CREATE TABLE floats (k int, f ${system === 'mysql' ? 'float' : 'real'}, at ${at} NOT NULL, PRIMARY KEY (k, f))`,
      `INSERT INTO floats VALUES (1, 1.5, '2020-02-02 00:00:00')`,
    )
    const { run } = commandsOf({ place, form: 'plain', to: join(folder.path, `to-floats-${system}`) })
    for (const dryRun of [true, false]) {
      const { finished } = await perform({ ...run, tables: ['floats'], dryRun } as Operation)
      expect(finished.error).toMatchObject({
        code: 'UNSUPPORTED_KEY',
        message: expect.stringMatching(/f is a floating point number, which is not a safe key|the table has no key/),
      })
    }
  })

  test.skipIf(WITHOUT.get('postgresql') !== '')(
    'keep the sign of zero if whole partitions leave',
    { timeout: 60_000 },
    async () => {
      const place = await makePlace('postgresql', folder.path)
      await place.sql(
        'CREATE TABLE floats (f float8, g real, at timestamp, PRIMARY KEY (f, g, at)) PARTITION BY RANGE (at)',
        `CREATE TABLE floats_old PARTITION OF floats FOR VALUES FROM ('2020-01-01') TO ('2020-04-01')`,
        `CREATE TABLE floats_new PARTITION OF floats FOR VALUES FROM ('2090-01-01') TO ('2091-01-01')`,
        `INSERT INTO floats VALUES ('-0', 'NaN', '2020-02-02'), ('-Infinity', '-0', '2020-02-02')`,
      )
      const rows = rowsOf('postgresql', place, 'floats', ['f', 'g'])
      const before = await rows()
      const { run } = commandsOf({ place, form: 'native', to: join(folder.path, 'to-floats') })
      const archive = { ...run, tables: ['floats'] } as Operation
      expect(await ended(archive)).toBe('')
      expect(await ended({ ...archive, drop: true, confirm: 'floats' } as Operation)).toBe('')
      expect(await rows()).toEqual([])
      const partitions = ['2020-Q1']
      expect(await ended({ kind: 'restore', from: place.url, table: 'floats', partitions, dryRun: false })).toBe('')
      expect(await rows()).toEqual(before)
      expect(before.join()).toContain('-0 | NaN')
    },
  )
})

/** Empty if it succeeded. */
async function ended(operation: Operation): Promise<string> {
  const { finished, events } = await perform(operation)
  if (finished.exitCode === 0) return ''
  const failed = events.flatMap((event) =>
    event.type === 'archive.state' && event.error !== undefined ? [event.table, event.error] : [],
  )
  return JSON.stringify([finished.error, failed])
}

async function asked(place: Place, table: string): Promise<string> {
  const query = `SELECT count(*), sum(v) FROM ${table}`
  return (await countedBy({ kind: 'query', from: place.url, table, query, limit: 10, format: 'table' })).counted
}

/** Key types whose table has no other key column. */
const ALONE: readonly string[] = ['middle', 'words', 'whole', 'unsigned']
/** Key types that share a table. */
const TOGETHER = 7

/** Key types of each table: the others share tables, because each command takes longer than each further type. */
function tablesOf(keys: readonly Key[]): readonly (readonly Key[])[] {
  const alone = keys.filter(([type]) => ALONE.includes(type)).map((key) => [key])
  const shared = keys.filter(([type]) => !ALONE.includes(type))
  const groups = Array.from({ length: Math.ceil(shared.length / TOGETHER) }, (_, i) =>
    shared.slice(i * TOGETHER, (i + 1) * TOGETHER),
  )
  return [...alone, ...groups]
}

type Table = {
  readonly name: string
  readonly made: readonly string[]
  readonly late: string
  readonly lateRows: number
  readonly asText: readonly string[]
  /** Count and sum of `v` of all rows, as `asked` returns them. */
  readonly counted: string
  readonly rows: () => Promise<readonly string[]>
}

/**
 * One table with the key columns of several types. Each row differs from the first one in the columns of one type, so
 * that a confusion of two values of a type is a confusion of two rows.
 */
function tableOf(system: System, place: Place, keys: readonly Key[]): Table {
  const name = `of_${keys.map(([type]) => type).join('_')}`
  const defined = keys.flatMap(([type, columns]) => columns.split(', ').map((column) => `${type}_${column}`))
  const names = defined.map((column) => column.split(' ')[0] ?? '')
  const at = system === 'postgresql' ? 'timestamp' : 'datetime'
  const firsts = keys.map(([, , [first]]) => first)
  const row = (day: number, v: number, values: readonly string[]): string =>
    `('2020-02-${String(day).padStart(2, '0')} 00:00:00', ${v}, ${values.join(', ')})`
  /** For each type, the first row with another value of this type. */
  const others = (which: 1 | 2, v: number): readonly string[] =>
    keys.map(([, , values], i) => row(which + 2, v + i, firsts.with(i, values[which])))
  const count = 1 + 2 * keys.length
  return {
    name,
    made: [
      `CREATE TABLE ${name} (at ${at} NOT NULL, v int, ${defined.join(', ')}, PRIMARY KEY (${names.join(', ')}))`,
      `INSERT INTO ${name} VALUES ${[row(2, 0, firsts), ...others(1, 1)].join(', ')}`,
    ],
    late: `INSERT INTO ${name} VALUES ${others(2, 1 + keys.length).join(', ')}`,
    lateRows: keys.length,
    asText: keys.flatMap(([type, , , column]) => (column === undefined ? [] : [`${type}_${column}`])),
    counted: `${count} ${(count * (count - 1)) / 2}`,
    rows: rowsOf(system, place, name, ['v', ...names]),
  }
}

/** Rows as the server prints them, with the storage classes of SQLite. */
function rowsOf(
  system: System,
  place: Place,
  table: string,
  names: readonly string[],
): () => Promise<readonly string[]> {
  const spelled = names.map((name) => {
    if (system === 'sqlite') return `typeof(${name}) || quote(${name})`
    return system === 'mysql' ? `hex(concat(${name}))` : `${name}::text`
  })
  return async () =>
    (await place.rows(`SELECT ${spelled.join(', ')}, at FROM ${table}`)).map((row) => row.join(' | ')).toSorted()
}
