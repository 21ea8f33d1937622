/**
 * Values in SQLite: types are read as they were declared, each value is read unchanged, and a value that would change
 * is refused by name.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Column, ColumnType, TableSpec } from '../../src/model/copy/column-type.ts'
import { pairTypes } from '../../src/engine/copy/plan/pair-types.ts'
import { EVERY_KEY } from '../../src/model/copy/range.ts'
import { keyText } from '../../src/model/copy/key-text.ts'
import { RowChecksum } from '../../src/model/copy/row-hash.ts'
import type { Cell, Row } from '../../src/model/copy/rows.ts'
import type { SluiceError } from '../../src/shared/errors.ts'
import type { CopyStore } from '../../src/model/copy/port.ts'
import { openSqliteCopy } from '../../src/stores/sqlite/copy/index.ts'
import { columnOf, NEVER, onlyTable, readAll, rowsOf, tableOf, ZOO, zooTable } from '../support/copy-zoo.ts'

let folder: string
let count = 0
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-copy-sqlite-types-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const newFile = (): string => join(folder, `${++count}.db`)
const open = (file: string, mode: 'read' | 'write'): Promise<CopyStore> =>
  openSqliteCopy(file, { mode, label: `sqlite:///${file}` })

/** A source created with SQL. */
async function sourceOf(sql: string): Promise<CopyStore> {
  const file = newFile()
  const connection = new Database(file)
  connection.exec(sql)
  connection.close()
  return open(file, 'read')
}

describe('types of SQLite', () => {
  it('reads the types that it declares', async () => {
    await using store = await open(newFile(), 'write')
    const { table } = zooTable(store, 'zoo')
    await store.target().create(table, NEVER)
    const found = await onlyTable(store, 'zoo')
    expect(found.columns.map(({ name, type, native }) => ({ name, type, native }))).toEqual(
      table.columns.map(({ name, type, native }) => ({ name, type, native })),
    )
    expect(found.key).toEqual(['id'])
  })

  it('reads each value of the zoo unchanged, with the same digest', async () => {
    const file = newFile()
    await using store = await open(file, 'write')
    const { table, columns, rows } = zooTable(store, 'zoo')
    await store.target().create(table, NEVER)
    const sum = new RowChecksum()
    for (const row of rows) sum.add(row)
    {
      await using chunk = await store
        .target()
        .open({ table, columns, range: EVERY_KEY, onExisting: 'refuse', careful: false, signal: NEVER })
      expect(await chunk.write(rows)).toBe(rows.length)
      expect(await chunk.digest({ scheme: 'canonical' })).toEqual(sum.digest())
      expect(await chunk.digest({ scheme: 'count' })).toEqual({ rows: BigInt(rows.length), sum: '' })
      // The reference implementation of the digest that SQLite computes: row by row, by their keys.
      const only = new Set(rows.map(([id]) => keyText([id ?? null])))
      expect(await chunk.digest({ scheme: 'canonical', only })).toEqual(sum.digest())
      const closing = { sql: 'UPDATE zoo SET id = id WHERE id = 1', parameters: [] }
      expect(await chunk.commit({ statements: [closing], guard: closing, landed: closing })).toBe('committed')
    }
    const request = { table, columns, range: EVERY_KEY, where: null, ordered: true }
    const back = await rowsOf(store, request)
    expect(back.map((row) => row.map(plain))).toEqual(rows.map((row) => row.map(plain)))
    await using view = await store.source(NEVER)
    expect(await view.digest(request, NEVER)).toEqual(sum.digest())
  })

  it('stores texts that sort like their values', async () => {
    await using store = await open(newFile(), 'write')
    const { table, columns } = zooTable(
      store,
      't',
      ZOO.filter(({ name }) => name === 'timestamptz'),
    )
    await store.target().create(table, NEVER)
    await write(store, table, columns, [
      ['1', '2024-01-01 00:00:00.5'],
      ['2', '2024-01-01 00:00:00'],
      ['3', '2024-01-01 00:00:00.45'],
    ])
    const connection = new Database(store.label.slice('sqlite:///'.length))
    expect(connection.prepare('SELECT id FROM t ORDER BY timestamptz').pluck().all()).toEqual([2, 3, 1])
    expect(connection.prepare(`SELECT unixepoch(timestamptz) FROM t WHERE id = 1`).pluck().get()).toBe(1_704_067_200)
    connection.close()
  })
})

const plain = (cell: Cell): unknown => (cell instanceof Uint8Array ? Buffer.from(cell).toString('hex') : cell)

async function write(
  store: CopyStore,
  table: ReturnType<typeof zooTable>['table'],
  columns: ReturnType<typeof zooTable>['columns'],
  rows: readonly Row[],
): Promise<void> {
  await using chunk = await store
    .target()
    .open({ table, columns, range: EVERY_KEY, onExisting: 'append', careful: false, signal: NEVER })
  await chunk.write(rows)
  const one = { sql: 'SELECT 1', parameters: [] }
  await chunk.commit({ statements: [one], guard: one, landed: one })
}

describe('values that SQLite would change', () => {
  const cases: readonly (readonly [string, string, ColumnType, Cell, RegExp])[] = [
    ['2^63 in INTEGER', 'INTEGER', { kind: 'int', bits: 64 }, '9223372036854775808', /64 bits/],
    ['below -2^63 in INTEGER', 'INTEGER', { kind: 'decimal' }, '-9223372036854775809', /round/],
    ['a long decimal in NUMERIC', 'NUMERIC', { kind: 'decimal' }, '0.12345678901234567891', /round/],
    ['a large whole number in REAL', 'REAL', { kind: 'int', bits: 64 }, '9007199254740993', /round/],
    ['NaN in REAL', 'REAL', { kind: 'float', bits: 64 }, Number.NaN, /NaN/],
    ['-0.0 in REAL', 'REAL', { kind: 'float', bits: 64 }, -0, /-0\.0/],
    ['007 as text in NUMERIC', 'STRING', { kind: 'text' }, '007', /convert the text to a number/],
    ['1e3 as text in INTEGER', 'INTEGER', { kind: 'text' }, '1e3', /convert the text to a number/],
    ['half a character', 'TEXT', { kind: 'text' }, 'a\ud800', /surrogate/],
    ['NULL as the number of a row', 'INTEGER PRIMARY KEY', { kind: 'int', bits: 64 }, null, /a generated number/],
  ]
  it.each(cases)('%s', async (_, native, as, cell, why) => {
    const file = newFile()
    const connection = new Database(file)
    connection.exec(`CREATE TABLE t (x ${native})`)
    connection.close()
    await using store = await open(file, 'write')
    const table = await onlyTable(store, 't')
    const columns = table.columns.map((column) => ({ name: column.name, as, column }))
    await using chunk = await store
      .target()
      .open({ table, columns, range: { by: 'all' }, onExisting: 'append', careful: false, signal: NEVER })
    const thrown = await chunk.write([[cell]]).catch((error: unknown) => error as SluiceError)
    expect(thrown).toMatchObject({ code: 'ROW_REFUSED', where: expect.stringContaining('t.x') as string })
    const { message, reason = '' } = thrown as SluiceError
    expect(`${message} ${reason}`).toMatch(why)
  })

  it('stores each value unchanged, or refuses it', async () => {
    const file = newFile()
    const natives = ['INTEGER', 'REAL', 'NUMERIC', 'TEXT', 'BLOB', 'STRING', '']
    const connection = new Database(file)
    for (const [i, native] of natives.entries()) connection.exec(`CREATE TABLE t${i} (x ${native})`)
    connection.close()
    await using store = await open(file, 'write')
    const tables = await Promise.all(natives.map((_, i) => onlyTable(store, `t${i}`)))
    const value = fc.oneof(
      fc.tuple(
        fc.constant<ColumnType>({ kind: 'int', bits: 64 }),
        fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }).map(String),
      ),
      fc.tuple(
        fc.constant<ColumnType>({ kind: 'decimal' }),
        fc.tuple(fc.bigInt(), fc.nat(1_000_000)).map(([a, b]) => `${a}.${b}1`),
      ),
      fc.tuple(fc.constant<ColumnType>({ kind: 'float', bits: 64 }), fc.double()),
      fc.tuple(
        fc.constant<ColumnType>({ kind: 'text' }),
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.double().map(String),
          fc.integer().map(String),
          fc.constantFrom(' 7', '7 ', '+7', '1.', '.5', '1_0', '0x1'),
        ),
      ),
      fc.tuple(fc.constant<ColumnType>({ kind: 'bytes' }), fc.uint8Array()),
    )
    await fc.assert(
      fc.asyncProperty(value, fc.nat(natives.length - 1), async ([as, cell], i) => {
        const table = tables[i] as TableSpec
        const [column] = table.columns
        if (column === undefined || !travels(as, column)) return
        // An empty column without a type gets the type of its first value.
        const columns = [{ name: 'x', as, column: column.native === '' ? { ...column, type: as } : column }]
        const sum = new RowChecksum()
        sum.add([cell])
        // The first is proved by texts that SQLite computes, the second by values that are read row by row.
        for (const onExisting of ['refuse', 'append'] as const) {
          const request = { table, columns, range: { by: 'all' }, onExisting, careful: false, signal: NEVER } as const
          await using chunk = await store.target().open(request)
          try {
            await chunk.write([[cell]])
          } catch (error) {
            expect(error).toMatchObject({ code: 'ROW_REFUSED' })
            return
          }
          expect(await chunk.digest({ scheme: 'canonical' })).toEqual(sum.digest())
        }
      }),
      { numRuns: 400 },
    )
  })
})

/** True if a plan would copy values of the type into the column without a loss. */
function travels(type: ColumnType, column: Column): boolean {
  if (column.native === '') return true
  try {
    const { as, lossy } = pairTypes({ name: 'x', type, native: '', nullable: true }, column, false)
    return lossy === undefined && as === type
  } catch {
    return false
  }
}

describe('values of another type than their column', () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ['text in INTEGER', 'INTEGER', `'abc'`],
    ['a fraction in INTEGER', 'INTEGER', '7.5'],
    ['a whole number that became a double', 'INTEGER', '9223372036854775808'],
    ['a BLOB in TEXT', 'TEXT', `x'616263'`],
    ['a text in BLOB', 'BLOB', `'abc'`],
    ['a number in BLOB', 'BLOB', '7'],
    ['a text in REAL', 'REAL', `'abc'`],
    ['a large whole number in a column of REALs', 'FLOATING POINT', '9007199254740993'],
    ['too many digits in DECIMAL', 'DECIMAL(10,2)', '1.234'],
    ['a number too large for DECIMAL', 'DECIMAL(4,2)', '123'],
    ['text in BOOLEAN', 'BOOLEAN', `'maybe'`],
    ['bytes that are no characters', 'TEXT', `CAST(x'61ff62' AS TEXT)`],
    ['a moment in a date', 'DATE', `'2024-01-01 12:00:00'`],
    ['no UUID', 'UUID', `'abc'`],
    ['no JSON', 'JSON', `'{'`],
    ['a time without sense', 'DATETIME', `'noon'`],
  ]
  it.each(cases)('%s: the error names table, column and key', async (_, native, value) => {
    await using store = await sourceOf(
      `CREATE TABLE t (id INTEGER PRIMARY KEY, x ${native}); INSERT INTO t VALUES (1, NULL), (41, ${value}), (42, NULL)`,
    )
    const table = await onlyTable(store, 't')
    await expect(rowsOf(store, readAll(table))).rejects.toMatchObject({
      code: 'VALUE_REFUSED',
      where: 't.x, row 41',
      kind: 'source',
    })
    const aside: unknown[] = []
    const rows = await rowsOf(store, { ...readAll(table), onRefused: (row, error) => aside.push([row[0], error.code]) })
    expect(rows).toEqual([
      ['1', null],
      ['42', null],
    ])
    expect(aside).toEqual([['41', 'VALUE_REFUSED']])
  })

  it('the error names the rowid if there is no key', async () => {
    await using store = await sourceOf(`CREATE TABLE t (x INTEGER); INSERT INTO t VALUES (1), ('abc')`)
    await expect(rowsOf(store, readAll(await onlyTable(store, 't'), { by: 'all' }))).rejects.toMatchObject({
      where: 't.x, row rowid = 2',
    })
  })

  it('keeps a stored U+FFFD, and large numbers after small ones', async () => {
    await using store = await sourceOf(
      `CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT, n INTEGER);
       INSERT INTO t SELECT value, 'x' || value, value FROM generate_series(1, 2500);
       UPDATE t SET x = char(65533) || 'é' WHERE id = 1700; UPDATE t SET n = 9007199254740993 WHERE id = 1200`.replace(
        'generate_series(1, 2500)',
        '(WITH RECURSIVE s(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM s WHERE value < 2500) SELECT value FROM s)',
      ),
    )
    const rows = await rowsOf(store, readAll(await onlyTable(store, 't')))
    expect(rows).toHaveLength(2500)
    expect(rows.map(([id]) => Number(id))).toEqual(Array.from({ length: 2500 }, (_, i) => i + 1))
    expect(rows[1699]?.[1]).toBe('\ufffdé')
    expect(rows[1199]?.[2]).toBe('9007199254740993')
    expect(rows[2499]).toEqual(['2500', 'x2500', '2500'])
  })

  it('reads texts of a UTF-16 database', async () => {
    await using store = await sourceOf(
      `PRAGMA encoding = 'UTF-16le'; CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT); INSERT INTO t VALUES (1, 'é😀'), (2, char(65533))`,
    )
    expect(await rowsOf(store, readAll(await onlyTable(store, 't')))).toEqual([
      ['1', 'é😀'],
      ['2', '\ufffd'],
    ])
  })
})

describe('columns without a known type', () => {
  it('get their types from their first rows', async () => {
    await using store = await sourceOf(`
      CREATE TABLE t (i, r, m, s, b, mixed, empty, strange MONEY, epoch DATETIME, julian DATE, moment TIMESTAMP, wall TIMESTAMP);
      INSERT INTO t VALUES (1, 1.5, 1, 'a', x'00', 1, NULL, 'x', 1704067200, 2460000.5, '2024-01-01T00:00:00Z', '2024-01-01 00:00');
      INSERT INTO t VALUES (9007199254740993, 2.0, 1.5, '', x'', 'it''s', NULL, NULL, NULL, NULL, '2024-01-01 01:00:00+01:00', NULL)`)
    const table = await onlyTable(store, 't')
    expect(table.columns.map(({ type }) => (type.kind === 'native' ? type.name : type.kind))).toEqual([
      'int',
      'float',
      'decimal',
      'text',
      'bytes',
      'any',
      'any',
      'text',
      'int',
      'float',
      'timestamp',
      'timestamp',
    ])
    expect(await rowsOf(store, readAll(table, { by: 'all' }))).toEqual([
      [
        '1',
        1.5,
        '1',
        'a',
        Buffer.from([0]),
        '1',
        null,
        'x',
        '1704067200',
        2460000.5,
        '2024-01-01 00:00:00',
        '2024-01-01 00:00:00',
      ],
      [
        '9007199254740993',
        2,
        '1.5',
        '',
        Buffer.alloc(0),
        "'it''s'",
        null,
        null,
        null,
        null,
        '2024-01-01 00:00:00',
        null,
      ],
    ])
  })

  it('are copied between two files with the storage classes of their values', async () => {
    await using source = await sourceOf(
      `CREATE TABLE t (id INTEGER PRIMARY KEY, x); INSERT INTO t VALUES (1, 7), (2, 7.0), (3, '7'), (4, x'37'), (5, NULL), (6, 9e999)`,
    )
    const table = await onlyTable(source, 't')
    const rows = await rowsOf(source, readAll(table))
    const file = newFile()
    await using target = await open(file, 'write')
    await target.target().create(table, NEVER)
    await write(target, table, [...readAll(table).columns], rows)
    const connection = new Database(file)
    expect(connection.prepare('SELECT typeof(x), quote(x) FROM t').raw().all()).toEqual([
      ['integer', '7'],
      ['real', '7.0'],
      ['text', `'7'`],
      ['blob', `X'37'`],
      ['null', 'NULL'],
      ['real', '9.0e+999'],
    ])
    connection.close()
  })
})

it('a column of the target is found with any type', async () => {
  await using store = await open(newFile(), 'write')
  const column = columnOf(store, 'x', { kind: 'native', name: 'any' }, true)
  expect(column.native).toBe('')
  await store.target().create(tableOf('t', [column], []), NEVER)
  expect((await onlyTable(store, 't')).columns[0]).toMatchObject({ type: { kind: 'native', name: 'any' }, native: '' })
})
