/** D1 as source and target: each type in both directions, limits, names, and properties of tables. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ColumnType } from '../../src/model/copy/column-type.ts'
import { keyText } from '../../src/model/copy/key-text.ts'
import { RowChecksum } from '../../src/model/copy/row-hash.ts'
import type { Row } from '../../src/model/copy/rows.ts'
import type { Operation } from '../../src/app/operations/list.ts'
import { temporaryFolder } from '../support/catalog-kit.ts'
import { copyOf, makePlace, perform } from '../support/copy-systems.ts'
import { D1_AVAILABLE, D1_MISSING } from '../support/servers/d1.ts'
import {
  chunkOf,
  columnsOf,
  d1Base,
  d1Stage,
  LEDGER_DDL,
  NEVER,
  plainRows,
  readAll,
  tableFor,
  TestClaim,
  type D1Stage,
} from '../support/servers/d1-kit.ts'

const INT: ColumnType = { kind: 'int', bits: 64 }
const TEXT: ColumnType = { kind: 'text' }

describe.skipIf(!D1_AVAILABLE)(`D1 copies${D1_MISSING === '' ? '' : ` (${D1_MISSING})`}`, () => {
  let stage: D1Stage
  beforeAll(async () => {
    stage = await d1Stage(await d1Base())
    await stage.database.sql(LEDGER_DDL)
  })
  afterAll(() => stage[Symbol.asyncDispose]())

  let chunks = 0
  /** Creates the table, writes the rows as one chunk, and reads them again. */
  async function roundTrip(
    name: string,
    types: Readonly<Record<string, ColumnType>>,
    rows: readonly Row[],
    key = ['id'],
  ): Promise<readonly Row[]> {
    const { store, database } = stage
    const table = tableFor(store, name, types, key)
    await store.target().create(table, NEVER)
    const claim = new TestClaim(++chunks, 'me', 1)
    await database.sql(claim.taken)
    await using writer = await store.target().open(chunkOf(table, { columns: columnsOf(table, types) }))
    expect(await writer.hasRows()).toBe(false)
    expect(await writer.write(rows, claim.step('end', rows.length))).toBe(rows.length)
    claim.cursor = 'end'
    const sum = new RowChecksum()
    for (const row of rows) sum.add(row)
    expect(await writer.digest({ scheme: 'canonical' })).toEqual(sum.digest())
    expect(await writer.digest({ scheme: 'count' })).toEqual({ rows: BigInt(rows.length), sum: '' })
    expect(await writer.hasRows()).toBe(rows.length > 0)
    expect(await writer.commit(claim.closing())).toBe('committed')
    const found = (await store.tables(name, NEVER)).find((one) => one.table.name === name)
    if (found === undefined) throw new Error(`${name} was not found`)
    expect(found.columns.map((column) => column.type)).toEqual(table.columns.map((column) => column.type))
    expect(found.key).toEqual(table.key)
    await using view = await store.source(NEVER)
    const sorted =
      found.key.length === 0 ? rows : rows.toSorted((a, b) => (BigInt(String(a[0])) < BigInt(String(b[0])) ? -1 : 1))
    const back = await readAll(view, { ...found, columns: found.columns })
    expect(plainRows(back)).toEqual(plainRows(sorted))
    return back
  }

  test('values of each type are read as they were written', async () => {
    const types: Record<string, ColumnType> = {
      id: INT,
      flag: { kind: 'bool' },
      small: { kind: 'int', bits: 16 },
      wide: { kind: 'int', bits: 64, unsigned: true },
      price: { kind: 'decimal', precision: 38, scale: 10 },
      any_number: { kind: 'decimal' },
      single: { kind: 'float', bits: 32 },
      double: { kind: 'float', bits: 64 },
      name: TEXT,
      code: { kind: 'text', most: 5 },
      data: { kind: 'bytes' },
      uid: { kind: 'uuid' },
      day: { kind: 'date' },
      clock: { kind: 'time', digits: 6 },
      wall: { kind: 'timestamp', zone: false, digits: 6 },
      moment: { kind: 'timestamp', zone: true, digits: 3 },
      doc: { kind: 'json' },
      list: { kind: 'json' },
    }
    const full: Row = [
      '1',
      '1',
      '-32768',
      '18446744073709551615',
      '1234567890123456789012345678.0123456789',
      '0.1',
      Math.fround(1.1),
      0.1,
      'Ωmega 😀',
      'abcde',
      Buffer.from('00ff00', 'hex'),
      '0b0e7a5c-8f1d-4c2b-9a3e-5d6f7a8b9c0d',
      '2024-02-29',
      '23:59:59.999999',
      '2024-01-01 12:00:00.5',
      '1969-12-31 23:59:59.999',
      '{"a":[1,2.50,"x"],"b":null}'.replace('2.50', '2.5'),
      '[1,"two",null]',
    ]
    const empty: Row = ['2', ...Array.from({ length: full.length - 1 }, () => null)]
    const zero: Row = [
      '3',
      '0',
      '0',
      '0',
      '0',
      '-12.5',
      0,
      -1e-300,
      '',
      '',
      Buffer.alloc(0),
      '00000000-0000-0000-0000-000000000000',
      '0001-01-01',
      '00:00:00',
      '9999-12-31 23:59:59',
      '2000-01-01 00:00:00',
      '{}',
      '[]',
    ]
    await roundTrip('zoo', types, [full, empty, zero])
  })

  test('extremes of numbers and texts', async () => {
    const types: Record<string, ColumnType> = {
      id: INT,
      n: INT,
      d: { kind: 'float', bits: 64 },
      t: TEXT,
      b: { kind: 'bytes' },
    }
    const doubles = [
      0.1 + 0.2,
      1 / 3,
      5e-324,
      -5e-324,
      Number.MAX_VALUE,
      -Number.MAX_VALUE,
      Number.MIN_VALUE,
      2 ** 53 + 2,
      123456789012345680,
      1e21,
      4.35,
      2.2250738585072014e-308,
      -1e-300,
      1.5e150,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      0,
    ]
    const texts = [
      '',
      ' ',
      'a\0b',
      '\0',
      '\u0001\u001f"\\/',
      '😀👩‍👩‍👧',
      '\ufffd',
      'NULL',
      "'; DROP TABLE x; --",
      '\ud7ff\ue000',
      'é'.repeat(5000),
      '\u2028\u2029',
      'x\r\ny\t',
      '9223372036854775808',
      'i1',
    ]
    const integers = [
      '9223372036854775807',
      '-9223372036854775808',
      '0',
      '-1',
      '9007199254740993',
      '-9007199254740993',
      '999999999999999999',
      '1000000000000000000',
    ]
    const rows = Array.from({ length: 17 }, (_, i): Row => [
      i === 0 ? '-9223372036854775808' : i === 1 ? '9223372036854775807' : String(i),
      integers[i % integers.length] ?? null,
      doubles[i] ?? null,
      texts[i % texts.length] ?? null,
      Buffer.from(texts[i] ?? ''),
    ])
    await roundTrip('extremes', types, rows)
  })

  test('each finite double except for -0 is read as it was written', async () => {
    const { store } = stage
    const table = tableFor(store, 'doubles', { id: INT, d: { kind: 'float', bits: 64 } }, ['id'])
    await store.target().create(table, NEVER)
    await using writer = await store.target().open(chunkOf(table))
    await using view = await store.source(NEVER)
    const double = fc.double({ noNaN: true }).filter((value) => !Object.is(value, -0))
    const check = async (values: readonly number[]): Promise<void> => {
      await store.target().clear(table, NEVER)
      await writer.write(values.map((value, i) => [String(i), value]))
      expect((await readAll(view, table)).map(([, value]) => value)).toEqual(values)
    }
    await fc.assert(fc.asyncProperty(fc.array(double, { minLength: 2000, maxLength: 2000 }), check), { numRuns: 2 })
    await check(
      Array.from(
        { length: 4000 },
        (_, i) => (i % 2 === 0 ? 1 : -1) * (1 + i / 7) * 10 ** (Math.floor(i / 7) - 300),
      ).filter(Number.isFinite),
    )
  })

  test('values that D1 would change are refused, and nothing of the batch is stored', async () => {
    const { store, database } = stage
    const table = tableFor(store, 'refused', { id: INT, d: { kind: 'float', bits: 64 }, t: TEXT }, ['id'])
    await store.target().create(table, NEVER)
    await using writer = await store.target().open(chunkOf(table))
    const claim = new TestClaim(++chunks, 'me', 1)
    await database.sql(claim.taken)
    for (const bad of [
      ['2', Number.NaN, 'x'],
      ['2', -0, 'x'],
      ['2', 1, '\ud800'],
    ] satisfies Row[]) {
      await expect(writer.write([['1', 1, 'fine'], bad], claim.step('2', 2))).rejects.toMatchObject({
        code: 'ROW_REFUSED',
      })
    }
    await expect(
      writer.write(
        [
          ['1', 1, 'a'],
          ['1', 2, 'b'],
        ],
        claim.step('2', 2),
      ),
    ).rejects.toMatchObject({
      code: 'ROW_REFUSED',
      message: expect.stringContaining('UNIQUE constraint failed') as string,
    })
    expect(await database.sql('SELECT COUNT(*) FROM refused')).toEqual([[0]])
    expect(await writer.write([['1', 1, 'fine']], claim.step('1', 1))).toBe(1)
  })

  test('values up to two million bytes are copied', async () => {
    const types: Record<string, ColumnType> = { id: INT, t: TEXT, b: { kind: 'bytes' }, u: TEXT }
    const bytes = Buffer.alloc(1_050_000, 0)
    for (let i = 0; i < bytes.length; i++) bytes[i] = i % 251
    const rows: Row[] = [
      ['1', 'x'.repeat(1_999_900), null, 'long text'],
      ['2', 'short', bytes, null],
      ['3', '\u0001'.repeat(200_000), Buffer.from('ab'), '😀'.repeat(50_000)],
      ['4', 'é'.repeat(600_000), Buffer.alloc(700_000, 0xff), null],
      ['5', null, null, null],
    ]
    await roundTrip('long_values', types, rows)
    const { store } = stage
    const [table] = await store.tables('long_values', NEVER)
    if (table === undefined) throw new Error('no table')
    await using writer = await store.target().open(chunkOf(table))
    await expect(writer.write([['9', 'y'.repeat(2_000_001), null, null]])).rejects.toMatchObject({
      code: 'ROW_REFUSED',
      reason: expect.stringContaining('2000000 bytes') as string,
    })
    await expect(writer.write([['9', 'y'.repeat(1_200_000), Buffer.alloc(900_000), null]])).rejects.toMatchObject({
      code: 'ROW_REFUSED',
    })
  }, 60_000)

  test('tables with more columns than D1 allows are refused before they are created', async () => {
    const { store } = stage
    const wide = (count: number) =>
      tableFor(store, `wide_${count}`, Object.fromEntries(Array.from({ length: count }, (_, i) => [`c${i}`, TEXT])), [])
    await expect(store.target().create(wide(101), NEVER)).rejects.toMatchObject({
      code: 'TABLE_REFUSED',
      message: expect.stringContaining('101 columns') as string,
    })
    const hundred = Object.fromEntries(
      Array.from({ length: 100 }, (_, i) => [i === 0 ? 'id' : `c${i}`, i === 0 ? INT : TEXT]),
    )
    await roundTrip('hundred', hundred, [
      Array.from({ length: 100 }, (_, i) => String(i)),
      ['7', ...Array.from({ length: 99 }, () => null)],
    ])
    const long = tableFor(store, 'n'.repeat(100_000), { a: TEXT }, [])
    await expect(store.target().create(long, NEVER)).rejects.toMatchObject({ code: 'TABLE_REFUSED' })
    await expect(store.target().create(tableFor(store, '_cf_x', { a: TEXT }, []), NEVER)).rejects.toMatchObject({
      code: 'TABLE_REFUSED',
    })
    await expect(store.target().create(tableFor(store, 'a\0b', { a: TEXT }, []), NEVER)).rejects.toMatchObject({
      code: 'TABLE_REFUSED',
    })
  })

  test('hostile names are used as plain names', async () => {
    for (const name of [
      '"; DROP TABLE chunks; --',
      "it's",
      'line\nend',
      '😀',
      'a.b',
      'per%cent_',
      '*',
      ' FROM ',
      'select',
    ]) {
      const columns = { id: INT, [name]: TEXT, [`${name} FROM x ?`]: INT }
      await roundTrip(`t ${name}`, columns, [
        ['1', name, '5'],
        ['2', null, null],
      ])
    }
    expect(await stage.database.sql('SELECT COUNT(*) > 0 FROM chunks')).toEqual([[1]])
  })

  test('text, composite and missing keys', async () => {
    const { store, database } = stage
    const texts = Array.from({ length: 1203 }, (_, i): Row => [`k${String(i).padStart(5, '0')}`, String(i)])
    const table = tableFor(store, 'by_text', { k: TEXT, v: INT }, ['k'])
    await store.target().create(table, NEVER)
    await using writer = await store.target().open(chunkOf(table))
    await writer.write(texts)
    await using view = await store.source(NEVER)
    const [found] = await store.tables('by_text', NEVER)
    if (found === undefined) throw new Error('no table')
    expect(found).toMatchObject({ key: ['k'], primary: true, rows: 1203n })
    const ranges = []
    for await (const range of view.cut(found, { by: 'key', after: null, through: null }, null, 500, NEVER))
      ranges.push(range)
    expect(ranges).toHaveLength(3)
    let rows = 0
    for (const range of ranges) {
      const request = { table: found, columns: columnsOf(found), range, where: null, ordered: true }
      for await (const batch of view.read(request, { rows: 100, bytes: 1e6 }, NEVER)) {
        expect(batch.rows.length).toBeLessThanOrEqual(100)
        rows += batch.rows.length
      }
    }
    expect(rows).toBe(1203)
    expect(await view.extent(found, null, true)).toMatchObject({
      rows: 1203n,
      exact: true,
      low: 'k00000',
      high: 'k01202',
    })
    expect(await view.last(found, { by: 'key', after: null, through: ['k00500'] }, null, NEVER)).toEqual(['k00500'])

    await database.sql(
      'CREATE TABLE pairs (a INTEGER, b BLOB, c, PRIMARY KEY (a, b)) WITHOUT ROWID',
      'CREATE TABLE keyless (x TEXT)',
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1100) INSERT INTO pairs SELECT i / 10, unhex(printf('%04x', i)), i FROM n`,
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1100) INSERT INTO keyless SELECT 'same' FROM n`,
    )
    const [pairs] = await store.tables('pairs', NEVER)
    const [keyless] = await store.tables('KEYLESS', NEVER)
    if (pairs === undefined || keyless === undefined) throw new Error('no table')
    expect(pairs).toMatchObject({ key: ['a', 'b'], primary: true })
    expect((await readAll(view, pairs)).map(([, , c]) => Number(c))).toEqual(
      Array.from({ length: 1100 }, (_, i) => i + 1),
    )
    expect(keyless).toMatchObject({ key: [], rows: 1100n, blocks: 1101n })
    expect(await readAll(view, keyless)).toHaveLength(1100)
    const blocks = []
    for await (const range of view.cut(keyless, { by: 'block', from: 0n, to: null }, null, 400, NEVER))
      blocks.push(range)
    expect(blocks).toHaveLength(3)
    let held = 0n
    for (const range of blocks)
      held += (
        await view.digest({ table: keyless, columns: columnsOf(keyless), range, where: null, ordered: false }, NEVER)
      ).rows
    expect(held).toBe(1100n)
  })

  test('pages of keys stored as floating point numbers end at the right key', async () => {
    const { store, database } = stage
    await database.sql(
      'CREATE TABLE decimals (k DECIMAL PRIMARY KEY, v INTEGER) WITHOUT ROWID',
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1400) INSERT INTO decimals SELECT i / 70.0 + 0.1, i FROM n`,
    )
    const [table] = await store.tables('decimals', NEVER)
    if (table === undefined) throw new Error('no table')
    const before = store.usage
    await using view = await store.source(NEVER)
    expect((await readAll(view, table)).map(([, v]) => Number(v))).toEqual(
      Array.from({ length: 1400 }, (_, i) => i + 1),
    )
    expect(store.usage.requests - before.requests).toBe(2)
    expect(store.usage.rowsRead - before.rowsRead).toBeGreaterThanOrEqual(1400)
  })

  test('rows whose keys sort differently in the source are proved by their keys', async () => {
    const { store, database } = stage
    const types: Record<string, ColumnType> = {
      value: TEXT,
      id: { kind: 'decimal', precision: 20, scale: 4 },
      type: INT,
    }
    const table = tableFor(store, 'sorted', types, ['value', 'id'])
    await store.target().create(table, NEVER)
    await database.sql(`INSERT INTO sorted VALUES ('b', '2', 1), ('Ä', '9', 2), ('a', '10', 3)`)
    // By German collation, all of these rows are between these bounds; by bytes, the second is outside.
    const range = { by: 'key', after: ['a', '0'], through: ['b', '99'] } as const
    const rows: Row[] = [
      ['a', '9', '1'],
      ['ä', '10.5', '2'],
      ['\'"', '-1', '3'],
      ...Array.from({ length: 3000 }, (_, i): Row => [`a${i}`, '0', String(i)]),
    ]
    const sum = new RowChecksum()
    for (const row of rows) sum.add(row)
    await using writer = await store.target().open(chunkOf(table, { range }))
    expect(await writer.hasRows()).toBe(false)
    await writer.write(rows)
    expect(await writer.digest({ scheme: 'canonical' })).toEqual(sum.digest())
    expect(await writer.digest({ scheme: 'count' })).toEqual({ rows: 3003n, sum: '' })
    await using other = await store.target().open({ ...chunkOf(table, { range, onExisting: 'append' }) })
    const only = new Set([keyText(['a', '9']), keyText(['ä', '10.5']), keyText(['missing', '1'])])
    expect(await other.digest({ scheme: 'canonical', only })).toMatchObject({ rows: 2n })
    await expect(store.target().open(chunkOf(table, { range, onExisting: 'replace-range' }))).rejects.toMatchObject({
      code: 'UNSUPPORTED_KEY',
    })
    const numbers = tableFor(store, 'numbered', { id: INT, v: TEXT }, ['id'])
    await store.target().create(numbers, NEVER)
    await using filtered = await store.target().open(chunkOf(numbers, { onExisting: 'append' }))
    await filtered.write([
      ['1', 'a'],
      ['2', 'b'],
      ['3', 'c'],
    ])
    expect(await filtered.digest({ scheme: 'canonical', only: new Set([keyText(['2'])]) })).toMatchObject({ rows: 1n })
    await expect(filtered.write([[null, 'x']])).rejects.toMatchObject({ code: 'ROW_REFUSED' })
  })

  test('a key with duplicate values loses no row between two pages', async () => {
    const { store, database } = stage
    await database.sql(
      'CREATE TABLE twice (k INTEGER, v INTEGER)',
      'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500) INSERT INTO twice SELECT i / 400, i FROM n',
    )
    const [found] = await store.tables('twice', NEVER)
    if (found === undefined) throw new Error('no table')
    await using view = await store.source(NEVER)
    const request = {
      table: { ...found, key: ['k'] },
      columns: columnsOf(found),
      range: { by: 'key', after: null, through: null },
      where: null,
      ordered: true,
    } as const
    const seen = new Set<string>()
    for await (const { rows } of view.read(request, { rows: 1000, bytes: 1e6 }, NEVER))
      for (const [, v] of rows) seen.add(String(v))
    expect(seen.size).toBe(1500)
  })

  test('columns without a type, and values of another type than their column', async () => {
    const { store, database } = stage
    await database.sql(
      'CREATE TABLE mixed (id INTEGER PRIMARY KEY, a, d DATETIME, n INTEGER, t TEXT)',
      `INSERT INTO mixed VALUES (1, 7, '2024-01-01T00:00:00Z', 1, 'x'), (2, 7.0, NULL, 2, 'y'), (3, '7', NULL, 3, 'z'), (4, x'37', NULL, 4, 'w'),
        (5, 9007199254740993, NULL, 5, 'v'), (6, NULL, NULL, 6, CAST(x'61ff' AS TEXT)), (7, 9e999, NULL, 'seven', char(65533))`,
    )
    const [mixed] = await store.tables('mixed', NEVER)
    if (mixed === undefined) throw new Error('no table')
    expect(mixed.columns.map(({ type }) => type)).toMatchObject([
      { kind: 'int' },
      { kind: 'native', name: 'any' },
      { kind: 'timestamp', zone: true },
      { kind: 'int' },
      { kind: 'text' },
    ])
    await using view = await store.source(NEVER)
    const aside: string[] = []
    const request = {
      table: mixed,
      columns: columnsOf(mixed),
      range: { by: 'key', after: null, through: null },
      where: null,
      ordered: true,
      onRefused: (row: readonly (string | null)[], error: Error) => aside.push(`${row[0] ?? ''}: ${error.message}`),
    } as const
    const rows: Row[] = []
    for await (const batch of view.read(request, { rows: 10, bytes: 1e6 }, NEVER)) rows.push(...batch.rows)
    expect(rows.map(([id, a]) => [id, a])).toEqual([
      ['1', '7'],
      ['2', '7.0'],
      ['3', "'7'"],
      ['4', "x'37'"],
      ['5', '9007199254740993'],
    ])
    expect(aside).toEqual([expect.stringMatching(/^6: .*not valid UTF-8/), expect.stringMatching(/^7: .*not a number/)])
    const { onRefused: _, ...strict } = request
    await expect(view.digest(strict, NEVER)).rejects.toMatchObject({ code: 'VALUE_REFUSED', kind: 'source' })
    const copy = { ...mixed, table: { name: 'mixed_copy' } }
    await store.target().create(copy, NEVER)
    await using writer = await store.target().open(chunkOf(copy))
    await writer.write(rows)
    expect(
      await database.sql(
        'SELECT COUNT(*) FROM mixed m JOIN mixed_copy c ON m.id = c.id AND m.a IS c.a AND typeof(m.a) = typeof(c.a)',
      ),
    ).toEqual([[5]])
  })

  test('existing rows are overwritten, kept or replaced', async () => {
    const { store, database } = stage
    const table = tableFor(store, 'there', { id: INT, v: TEXT }, ['id'])
    await store.target().create(table, NEVER)
    await database.sql(`INSERT INTO there VALUES (1, 'old'), (2, 'old'), (9, 'beyond')`)
    const range = { by: 'key', after: null, through: ['5'] } as const
    const rows: Row[] = [
      ['2', 'new'],
      ['3', 'new'],
    ]
    const state = () => database.sql('SELECT id, v FROM there ORDER BY id')
    const write = async (
      onExisting: 'refuse' | 'append' | 'upsert' | 'replace-range',
      cursor: string | null = null,
    ) => {
      await using writer = await store.target().open(chunkOf(table, { range, onExisting, cursor }))
      const claim = new TestClaim(++chunks, 'me', 1)
      claim.cursor = cursor
      await database.sql(
        claim.taken,
        `UPDATE chunks SET cursor_key = ${cursor === null ? 'NULL' : `'${cursor}'`} WHERE id = ${claim.id}`,
      )
      return await writer.write(rows, claim.step('3', 2))
    }
    await expect(write('refuse')).rejects.toMatchObject({ code: 'ROW_REFUSED' })
    expect(await write('append')).toBe(1)
    expect(await state()).toEqual([
      [1, 'old'],
      [2, 'old'],
      [3, 'new'],
      [9, 'beyond'],
    ])
    expect(await write('upsert')).toBe(2)
    expect(await state()).toEqual([
      [1, 'old'],
      [2, 'new'],
      [3, 'new'],
      [9, 'beyond'],
    ])
    await database.sql(`UPDATE there SET v = 'old'`)
    expect(await write('replace-range')).toBe(2)
    expect(await state()).toEqual([
      [2, 'new'],
      [3, 'new'],
      [9, 'old'],
    ])
    // A chunk that has begun keeps its stored rows.
    await expect(write('replace-range', '1')).rejects.toMatchObject({ code: 'ROW_REFUSED' })
    const { cursor: _, ...unsaid } = chunkOf(table, { onExisting: 'replace-range' })
    await expect(store.target().open(unsaid)).rejects.toThrow('unknown whether the chunk was started')
    // A range without rows in the source is emptied when it is closed.
    await using writer = await store.target().open(chunkOf(table, { range, onExisting: 'replace-range' }))
    const claim = new TestClaim(++chunks, 'me', 1)
    await database.sql(claim.taken)
    expect(await writer.commit(claim.closing())).toBe('committed')
    expect(await state()).toEqual([[9, 'old']])
  })

  test.each([
    ['ON DELETE CASCADE', 'rows of parent cannot be removed: rows of child would be deleted or changed with them'],
    ['ON DELETE SET NULL', 'rows of parent cannot be removed: rows of child would be deleted or changed with them'],
    ['ON DELETE SET DEFAULT', 'rows of parent cannot be removed: rows of child would be deleted or changed with them'],
    ['', 'existing rows of parent cannot be removed'],
    ['ON DELETE RESTRICT', 'existing rows of parent cannot be removed'],
  ])('a range that another table refers to is not replaced: foreign key %s', async (action, message) => {
    const { store, database } = stage
    const table = tableFor(store, 'parent', { id: INT, v: TEXT }, ['id'])
    await store.target().create(table, NEVER)
    await database.sql(`INSERT INTO parent VALUES (1, 'old'), (3, 'extra')`)
    const open = () => store.target().open(chunkOf(table, { onExisting: 'replace-range' }))
    const claim = new TestClaim(++chunks, 'me', 1)
    await database.sql(claim.taken)
    {
      await using writer = await open()
      // Foreign keys are enforced as soon as they exist.
      await database.sql(
        `CREATE TABLE child (id INTEGER PRIMARY KEY, p INTEGER DEFAULT 1 REFERENCES Parent (id) ${action})`,
        'INSERT INTO child VALUES (10, 1), (30, 3)',
      )
      const refused = { code: 'TABLE_REFUSED', message }
      await expect(writer.write([['1', 'new']], claim.step('1', 1))).rejects.toMatchObject(refused)
      await expect(writer.commit(claim.closing())).rejects.toMatchObject(refused)
    }
    const children = 'SELECT id, p FROM child ORDER BY id'
    expect(await database.sql('SELECT id, v FROM parent ORDER BY id', children)).toEqual([
      [10, 1],
      [30, 3],
    ])
    // Without a table that refers to it, a new row is refused for its own foreign key.
    await database.sql('DROP TABLE child', 'DROP TABLE parent', 'CREATE TABLE above (id INTEGER PRIMARY KEY)')
    await database.sql('CREATE TABLE parent (id INTEGER PRIMARY KEY NOT NULL, v TEXT REFERENCES above (id))')
    await using writer = await open()
    await expect(writer.write([['1', '7']], claim.step('1', 1))).rejects.toMatchObject({ code: 'ROW_REFUSED' })
    await database.sql('DROP TABLE parent', 'DROP TABLE above')
  })

  test('rows of other tables stay if rows are replaced or removed', async () => {
    using folder = temporaryFolder()
    const from = await makePlace('sqlite', folder.path)
    const to = await makePlace('d1', folder.path)
    await from.sql('CREATE TABLE parent (id INTEGER PRIMARY KEY NOT NULL, v TEXT)')
    await from.sql("INSERT INTO parent VALUES (1, 'a'), (2, 'b')")
    await to.sql(
      'CREATE TABLE parent (id INTEGER NOT NULL PRIMARY KEY, v TEXT)',
      'CREATE TABLE child (id INTEGER NOT NULL PRIMARY KEY, p INTEGER REFERENCES parent ON DELETE CASCADE)',
      "INSERT INTO parent VALUES (1, 'old'), (2, 'old'), (3, 'extra')",
      'INSERT INTO child VALUES (10, 1), (20, 2), (30, 3)',
    )
    const children = () => to.rows('SELECT id FROM child ORDER BY id')
    const isKept = async (operation: Operation): Promise<void> => {
      const { finished, events } = await perform(operation)
      expect(finished.status).not.toBe('ok')
      expect(JSON.stringify(events)).toContain(
        'rows of parent cannot be removed: rows of child would be deleted or changed with them',
      )
      expect(await children()).toEqual([['10'], ['20'], ['30']])
    }
    await isKept(copyOf(from, to, 'parent', { onExisting: 'replace-range' }))
    const both = { tables: ['parent'], rename: {}, workers: 1 }
    await isKept({ kind: 'diff', from: from.url, to: to.url, ...both, limit: 10, fix: true, deleteExtra: true })
    expect(await to.rows('SELECT * FROM parent ORDER BY id')).toEqual([
      ['1', 'a'],
      ['2', 'b'],
      ['3', 'extra'],
    ])
    await perform(copyOf(from, to, 'parent', { onExisting: 'upsert' }))
    await isKept(copyOf(from, to, 'parent', { onExisting: 'upsert', again: true, deleteExtra: true }))
  })

  test('rows of a batch are counted without those that triggers write', async () => {
    const { store, database } = stage
    const table = tableFor(store, 'watched', { id: INT, v: TEXT }, ['id'])
    await store.target().create(table, NEVER)
    await database.sql(
      'CREATE TABLE audit (id INTEGER, v TEXT)',
      'CREATE TRIGGER noted AFTER INSERT ON watched BEGIN INSERT INTO audit VALUES (NEW.id, NEW.v), (NEW.id, NEW.v); END',
      'CREATE TRIGGER dropped BEFORE INSERT ON watched WHEN NEW.id = 13 BEGIN SELECT RAISE(IGNORE); END',
      `INSERT INTO watched VALUES (1, 'old'), (2, 'old')`,
    )
    const rows: Row[] = [1, 2, 3, 4, 13].map((id) => [String(id), 'new'])
    const open = (onExisting: 'append' | 'upsert' | 'refuse' | 'replace-range') =>
      store.target().open(chunkOf(table, { onExisting }))
    const claim = async (): Promise<TestClaim> => {
      const one = new TestClaim(++chunks, 'me', 1)
      await database.sql(one.taken)
      return one
    }
    await using append = await open('append')
    expect(await append.write(rows, (await claim()).step('x', 5))).toBe(2)
    await using upsert = await open('upsert')
    expect(await upsert.write(rows, (await claim()).step('x', 5))).toBe(4)
    expect(await upsert.write(rows)).toBe(4)
    await using replace = await open('replace-range')
    expect(await replace.write(rows, (await claim()).step('x', 5))).toBe(4)
    await database.sql('DELETE FROM watched')
    await using plain = await open('refuse')
    expect(await plain.write(rows)).toBe(4)
    await database.sql('DELETE FROM watched')
    // Long rows get separate statements.
    const long = 'x'.repeat(1_100_000)
    const longer = [...rows, ...[14, 15].map((id): Row => [String(id), long])]
    expect(await plain.write(longer, (await claim()).step('x', 7))).toBe(6)
    expect(await database.sql('SELECT COUNT(*) FROM watched')).toEqual([[6]])
  })

  test('conditions of users, and tables that do not exist any more', async () => {
    const { store, database } = stage
    await database.sql(
      'CREATE TABLE cond (id INTEGER PRIMARY KEY, v TEXT)',
      "INSERT INTO cond VALUES (1, 'a'), (2, 'b')",
    )
    const [table] = await store.tables('main.cond', NEVER)
    if (table === undefined) throw new Error('no table')
    await using view = await store.source(NEVER)
    const request = (where: string) => ({
      table,
      columns: columnsOf(table),
      range: { by: 'key', after: null, through: null } as const,
      where,
      ordered: true,
    })
    expect((await view.digest(request("v = 'b' -- comment"), NEVER)).rows).toBe(1n)
    await expect(view.digest(request('nonsense ('), NEVER)).rejects.toMatchObject({
      code: 'BAD_PREDICATE',
      hint: expect.stringContaining('double quotes') as string,
    })
    await database.sql('DROP TABLE cond')
    await expect(view.digest({ ...request(''), where: null }, NEVER)).rejects.toMatchObject({
      code: 'SOURCE_GONE',
      kind: 'source',
    })
    await using writer = await store.target().open(chunkOf(table))
    await expect(writer.write([['1', 'x']])).rejects.toMatchObject({ code: 'TABLE_REFUSED' })
  })

  test('the service has the properties that copies rely on', async () => {
    expect(await stage.store.probe(NEVER)).toEqual({ atomic: true, functions: true })
    expect(await stage.database.sql("SELECT COUNT(*) FROM sqlite_schema WHERE name LIKE 'sluice_probe%'")).toEqual([
      [0],
    ])
  })

  test('a database is found by its name', async () => {
    const { account, database } = stage
    await account.database(`${database.name}-and-more`)
    const named = await stage.open()
    const url = `d1://${account.id}/${encodeURIComponent(database.name)}`
    const { openD1Copy } = await import('../../src/stores/d1/copy/index.ts')
    await using store = await openD1Copy(url, { environment: account.environment })
    expect(store.identity).toBe(named.identity)
    expect(store.label).toBe(url)
  })
})
