/** D1 as a source whose columns contain values of other types: no row is skipped, and no value changes. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Row } from '../../src/model/copy/rows.ts'
import { D1_AVAILABLE, D1_MISSING } from '../support/servers/d1.ts'
import { D1_SOURCE_KEYS } from '../../src/stores/d1/copy/keys.ts'
import { d1PageOrder } from '../../src/stores/d1/copy/order.ts'
import { D1Client } from '../../src/stores/d1/client.ts'
import { d1Settings } from '../../src/stores/d1/settings.ts'
import { d1Statement } from '../../src/stores/d1/copy/statements.ts'
import { copyOf, makePlace, perform, type Place } from '../support/copy-systems.ts'
import { columnsOf, d1Base, d1Stage, freeBudget, NEVER, type D1Stage } from '../support/servers/d1-kit.ts'

type Read = { readonly rows: readonly Row[]; readonly refused: readonly (readonly (string | null)[])[] }

describe.skipIf(!D1_AVAILABLE)(`D1 reads exactly${D1_MISSING === '' ? '' : ` (${D1_MISSING})`}`, () => {
  let stage: D1Stage
  beforeAll(async () => {
    stage = await d1Stage(await d1Base())
  })
  afterAll(() => stage[Symbol.asyncDispose]())

  async function readTable(name: string): Promise<Read> {
    const [table] = await stage.store.tables(name, NEVER)
    if (table === undefined) throw new Error('no table')
    await using view = await stage.store.source(NEVER)
    const rows: Row[] = []
    const refused: (readonly (string | null)[])[] = []
    const request = {
      table,
      columns: columnsOf(table),
      range: { by: 'all' },
      where: null,
      ordered: true,
      onRefused: (row: readonly (string | null)[]) => refused.push(row),
    } as const
    for await (const batch of view.read(request, { rows: 1000, bytes: 1e6 }, NEVER)) rows.push(...batch.rows)
    return { rows, refused }
  }

  const numbers = (to: number): string =>
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${to})`

  test('a page that ends at a text of invalid UTF-8 is followed by the next rows', async () => {
    await stage.database.sql(
      'CREATE TABLE texts (k TEXT PRIMARY KEY, v INTEGER)',
      `${numbers(499)} INSERT INTO texts SELECT printf('a%05d', i), i FROM n`,
      `INSERT INTO texts VALUES (CAST(x'6180' AS TEXT), 0)`,
      `${numbers(200)} INSERT INTO texts SELECT printf('aé%05d', i), i FROM n`,
      `${numbers(300)} INSERT INTO texts SELECT printf('b%05d', i), i FROM n`,
    )
    const { rows, refused } = await readTable('texts')
    expect(rows).toHaveLength(999)
    expect(refused).toHaveLength(1)
  })

  test('a page that ends at a floating point number is followed by the next value', async () => {
    await stage.database.sql(
      'CREATE TABLE reals (k DECIMAL(10,2) PRIMARY KEY, v INTEGER)',
      `${numbers(499)} INSERT INTO reals SELECT i - 499, i FROM n`,
      'INSERT INTO reals VALUES (0.7999999999999999, 0), (0.8, 1)',
      `${numbers(300)} INSERT INTO reals SELECT i, i FROM n`,
    )
    const { rows, refused } = await readTable('reals')
    expect(rows).toHaveLength(800)
    expect(refused.map(([key]) => key)).toEqual(['0.7999999999999999'])
  })

  test('two keys that differ only in invalid bytes are both refused', async () => {
    await stage.database.sql(
      'CREATE TABLE alike (k TEXT PRIMARY KEY, v INTEGER)',
      `INSERT INTO alike VALUES (CAST(x'6180' AS TEXT), 1), (CAST(x'6181' AS TEXT), 2), ('a' || char(65533), 3), ('b', 4)`,
    )
    const { rows, refused } = await readTable('alike')
    expect(rows).toEqual([
      ['a\ufffd', '3'],
      ['b', '4'],
    ])
    expect(refused.map(([, v]) => v)).toEqual(['1', '2'])
  })

  test('ranges that would end at a text of invalid UTF-8 contain each row once', async () => {
    await stage.database.sql(
      'CREATE TABLE divided (k TEXT PRIMARY KEY, v INTEGER)',
      `${numbers(50)} INSERT INTO divided SELECT printf('A%05d', i), i FROM n`,
      `${numbers(149)} INSERT INTO divided SELECT printf('a😀%05d', i), i FROM n`,
      `INSERT INTO divided VALUES (CAST(x'61f8' AS TEXT), 0)`,
      `${numbers(149)} INSERT INTO divided SELECT printf('b%05d', i), i FROM n`,
    )
    const [table] = await stage.store.tables('divided', NEVER)
    if (table === undefined) throw new Error('no table')
    await using view = await stage.store.source(NEVER)
    const ranges = []
    for await (const range of view.cut(table, { by: 'key', after: null, through: null }, null, 100, NEVER))
      ranges.push(range)
    const counts = (await view.counts?.({ table, ranges, where: null }, NEVER)) ?? []
    expect([ranges, counts.reduce((sum, rows) => sum + rows, 0n)]).toEqual([ranges, 349n])
  })

  const TEXTS = ["''", "' '", "'a'", "'A'", "'a~'", "'i1'", "'é'", "'a' || char(10)", "'a' || char(65533)", "'9e999'"]
  const BROKEN = ['80', '6180', '6181', '61c3', 'c181', 'eda080', 'ff', '610080', '6100', '00'].map(
    (hex) => `CAST(x'${hex}' AS TEXT)`,
  )
  const REALS = ['0.7999999999999999', '0.8', '0.1 + 0.2', '1e300 * 1.0000000000000002', '5e-324', '9e999', '-9e999']
  const INTEGERS = ['1', '-1', '9223372036854775807', '-9223372036854775808', '9007199254740993', '9007199254740992']
  const BLOBS = ["x''", "x'61'", "x'6180'", "x'00'", "x'3132'"]
  const ALL = [...TEXTS, ...BROKEN, ...REALS, ...INTEGERS, '123456789012345.6', '7.999999999999999', ...BLOBS]

  for (const [name, key, values] of [
    ['text', 'k TEXT PRIMARY KEY', [...TEXTS, ...BROKEN, ...BLOBS]],
    ['nocase', 'k TEXT COLLATE NOCASE PRIMARY KEY', [...TEXTS, ...BROKEN].filter((value) => value !== "'A'")],
    ['integer', 'k INTEGER NOT NULL, PRIMARY KEY (k)', INTEGERS],
    ['small', 'k INT PRIMARY KEY', ALL],
    ['decimal', 'k DECIMAL(10,2) PRIMARY KEY', ALL],
    ['blob', 'k BLOB PRIMARY KEY', ALL],
    ['untyped', 'k PRIMARY KEY', ALL],
    ['keyless', 'k', ALL],
  ] as const) {
    test(`the rows after each position of a ${name} key are read`, async () => {
      const [table, pair] = [`after_${name}`, `pair_${name}`]
      await stage.database.sql(
        `CREATE TABLE ${table} (${key})`,
        `INSERT OR IGNORE INTO ${table} (k) VALUES ${values.map((value) => `(${value})`).join(', ')}`,
        `CREATE TABLE ${pair} (a ${name === 'text' ? 'TEXT' : 'DECIMAL(10,2)'}, b, PRIMARY KEY (a, b)) WITHOUT ROWID`,
        `INSERT INTO ${pair} SELECT one.k, other.k FROM ${table} AS one, (SELECT k FROM ${table} LIMIT 3) AS other WHERE true ON CONFLICT DO NOTHING`,
      )
      for (const one of [table, pair]) await expectAllAfter(one)
    })
  }

  /** After the position of the n-th row all rows except for the first n are read. */
  async function expectAllAfter(name: string): Promise<void> {
    const [found] = await stage.store.tables(name, NEVER)
    if (found === undefined) throw new Error('no table')
    const client = new D1Client(d1Settings(stage.database.url, stage.account.environment), { budget: freeBudget() })
    const order = d1PageOrder(found, { by: 'all' }, null, D1_SOURCE_KEYS)
    const all = `SELECT ${order.places.join(', ')} FROM ${name} ORDER BY ${order.by}`
    const [result] = await client.read([{ sql: all, params: [] }], { signal: NEVER })
    const places = result?.rows ?? []
    expect(places.length).toBeGreaterThan(5)
    const counts = await client.read(
      places.map((place) => {
        const { sql, parameters } = order.after(place)
        return d1Statement({ sql: `SELECT COUNT(*) FROM ${name} WHERE ${sql}`, parameters })
      }),
      { signal: NEVER },
    )
    expect(counts.map(({ rows }, at) => [places[at], rows[0]?.[0]])).toEqual(
      places.map((place, at) => [place, places.length - 1 - at]),
    )
  }

  test('a column of whole numbers rounds nothing, and does not read bytes as digits', async () => {
    await stage.database.sql(
      'CREATE TABLE whole (id INTEGER PRIMARY KEY, n INTEGER)',
      `INSERT INTO whole VALUES (1, 7.999999999999999), (2, x'3132'), (3, 123456789012345.6), (4, 1000000000000000.5),
        (5, 'seven'), (6, 9e999), (7, CAST(x'3780' AS TEXT)), (8, 1e20), (9, 8), (10, NULL), (11, -9223372036854775808), (12, 9007199254740993), (13, 3.0)`,
    )
    const { rows, refused } = await readTable('whole')
    expect(rows).toEqual([
      ['9', '8'],
      ['10', null],
      ['11', '-9223372036854775808'],
      ['12', '9007199254740993'],
      ['13', '3'],
    ])
    expect(refused).toEqual([
      ['1', '7.999999999999999'],
      ['2', '\\x3132'],
      ['3', '123456789012345.6'],
      ['4', '1000000000000000.5'],
      ['5', 'seven'],
      ['6', 'Infinity'],
      ['7', '7\ufffd'],
      ['8', '100000000000000000000'],
    ])
  })

  test('a column of floating point numbers does not read bytes as infinity', async () => {
    await stage.database.sql(
      'CREATE TABLE floats (id INTEGER PRIMARY KEY, f REAL)',
      `INSERT INTO floats VALUES (1, CAST('9e999' AS BLOB)), (2, CAST('1.5' AS BLOB)), (3, 9e999), (4, -9e999), (5, 1.5)`,
    )
    const { rows, refused } = await readTable('floats')
    expect(rows).toEqual([
      ['3', Number.POSITIVE_INFINITY],
      ['4', Number.NEGATIVE_INFINITY],
      ['5', 1.5],
    ])
    expect(refused.map(([id]) => id)).toEqual(['1', '2'])
  })

  const ODD = ['7.999999999999999', "x'3132'", '123456789012345.6', '1000000000000000.5']

  test('between D1 and SQLite, such values are neither copied nor called equal', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-d1-exact-'))
    try {
      const [lite, cloud] = [await makePlace('sqlite', folder), await makePlace('d1', folder)]
      const create = 'CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)'
      const whole = ['8', '12', '123456789012346', '1000000000000000']
      const rowsOf = (values: readonly string[]): string =>
        `INSERT INTO t VALUES ${values.map((value, i) => `(${i + 1}, ${value})`).join(', ')}, (5, 5)`
      await lite.sql(create, rowsOf(whole))
      await cloud.sql(create, rowsOf(ODD))
      const diff = async (source: Place, target: Place) =>
        (await perform({ ...copyOf(source, target, 't'), kind: 'diff', limit: 100, fix: false })).finished
      expect(await diff(cloud, lite)).toMatchObject({ exitCode: 1, totals: { rows: '5', errors: '4' } })
      expect(await diff(lite, cloud)).toMatchObject({ exitCode: 1, totals: { rows: '5', different: '4' } })
      const copy = await makePlace('sqlite', folder)
      const { finished } = await perform(copyOf(cloud, copy, 't'))
      expect(finished).toMatchObject({ exitCode: 1, totals: { read: '5', written: '1', quarantined: '4' } })
      expect(await copy.rows('SELECT id, n FROM t')).toEqual([['5', '5']])
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
