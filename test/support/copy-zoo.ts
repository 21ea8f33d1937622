/**
 * Values that copies get wrong, one column per type: declaring, writing, reading and proving must keep the cells equal.
 */
import type { Column, ColumnType, TableSpec } from '../../src/model/copy/column-type.ts'
import type { Cell, Row } from '../../src/model/copy/rows.ts'
import type { CopyStore } from '../../src/model/copy/port.ts'
import type { RowRequest } from '../../src/model/copy/source-port.ts'
import type { WriteColumn } from '../../src/model/copy/write-column.ts'
import { EVERY_KEY, type Range } from '../../src/model/copy/range.ts'

const HUNDRED = '1234567890'.repeat(10)
const EVERY_BYTE = Uint8Array.from({ length: 256 }, (_, i) => i)
export const TEXTS = [
  '',
  ' ',
  'N',
  'a\nb\r\n\tc',
  '😀é\u{10ffff}',
  '\u{feff}in front',
  'it\'s "; DROP TABLE x; --',
  '\\N',
  'NULL',
  'x'.repeat(70_000),
]

type Zoo = { readonly name: string; readonly type: ColumnType; readonly cells: readonly Cell[] }

export const ZOO: readonly Zoo[] = [
  { name: 'bool', type: { kind: 'bool' }, cells: ['1', '0', null] },
  {
    name: 'int64',
    type: { kind: 'int', bits: 64 },
    cells: ['9223372036854775807', '-9223372036854775808', '0', '9007199254740993', '-1', null],
  },
  { name: 'int16', type: { kind: 'int', bits: 16 }, cells: ['32767', '-32768', null] },
  { name: 'unsigned', type: { kind: 'int', bits: 64, unsigned: true }, cells: ['18446744073709551615', '0', null] },
  {
    name: 'numeric',
    type: { kind: 'decimal' },
    cells: [HUNDRED, `-${HUNDRED}.${'1'.repeat(99)}`, '0.1', '0', '1', `0.${'0'.repeat(30)}1`, null],
  },
  {
    name: 'numeric(38,10)',
    type: { kind: 'decimal', precision: 38, scale: 10 },
    cells: ['1234567890123456789012345678.0123456789', '-0.0000000001', '7', null],
  },
  { name: 'numeric(5,2)', type: { kind: 'decimal', precision: 5, scale: 2 }, cells: ['999.99', '-0.01', '0', null] },
  {
    name: 'float64',
    type: { kind: 'float', bits: 64 },
    cells: [0.1, 5e-324, 1.7976931348623157e308, -1e22, 2 ** 53 + 2, 0, null],
  },
  {
    name: 'endless',
    type: { kind: 'float', bits: 64 },
    cells: [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, null],
  },
  { name: 'float32', type: { kind: 'float', bits: 32 }, cells: [Math.fround(0.1), Math.fround(3.4e38), null] },
  { name: 'text', type: { kind: 'text' }, cells: [...TEXTS, null] },
  { name: 'varchar(20)', type: { kind: 'text', most: 20 }, cells: ['', 'twenty characters it', null] },
  { name: 'bytes', type: { kind: 'bytes' }, cells: [EVERY_BYTE, new Uint8Array(0), Uint8Array.from([0]), null] },
  {
    name: 'uuid',
    type: { kind: 'uuid' },
    cells: [
      'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
      '00000000-0000-0000-0000-000000000000',
      'ffffffff-ffff-ffff-ffff-ffffffffffff',
      null,
    ],
  },
  { name: 'date', type: { kind: 'date' }, cells: ['2024-02-29', '0001-01-01', '9999-12-31', null] },
  { name: 'time', type: { kind: 'time', digits: 6 }, cells: ['00:00:00', '23:59:59.999999', '12:30:00.5', null] },
  {
    name: 'timestamp',
    type: { kind: 'timestamp', zone: false, digits: 6 },
    cells: ['2024-02-29 23:59:59.999999', '0001-01-01 00:00:00', '1969-12-31 23:59:59.5', '9999-12-31 23:59:59', null],
  },
  {
    name: 'timestamptz',
    type: { kind: 'timestamp', zone: true, digits: 6 },
    cells: ['2024-03-31 01:30:00.000001', '1883-11-18 17:00:00', null],
  },
  {
    name: 'json',
    type: { kind: 'json' },
    cells: ['{"a":[1,2.5,"é😀"],"b":null}', '[]', '"x"', '7', 'null', '1.5', '100000000000000000000000000', null],
  },
  { name: 'list', type: { kind: 'list', of: { kind: 'int', bits: 32 } }, cells: ['[1,2,null]', '[]', null] },
]

/**
 * A table with all these columns as a store would create it, and its rows: one for each value of the column with the
 * most values.
 */
export function zooTable(
  store: CopyStore,
  name: string,
  zoo: readonly Zoo[] = ZOO,
): { table: TableSpec; columns: WriteColumn[]; rows: Row[] } {
  const declared = zoo.map(({ name: column, type }) => columnOf(store, column, type, true))
  const id = columnOf(store, 'id', { kind: 'int', bits: 64 }, false)
  const most = Math.max(...zoo.map(({ cells }) => cells.length))
  const rows = Array.from({ length: most }, (_, i): Row => [
    String(i + 1),
    ...zoo.map(({ cells }) => cells[i % cells.length] ?? null),
  ])
  return {
    table: tableOf(name, [id, ...declared], ['id']),
    columns: [
      { name: 'id', as: { kind: 'int', bits: 64 }, column: id },
      ...zoo.map(({ name: column, type }, i) => ({ name: column, as: type, column: declared[i] as Column })),
    ],
    rows,
  }
}

export function columnOf(store: CopyStore, name: string, type: ColumnType, nullable: boolean): Column {
  return { name, nullable, ...store.declare(type) }
}

export function tableOf(name: string, columns: readonly Column[], key: readonly string[]): TableSpec {
  return { table: { name }, identity: '', columns, key, primary: true, rows: 0n, bytes: 0n }
}

/** Requests all columns of a table, each in its own type. */
export function readAll(table: TableSpec, range: Range = EVERY_KEY): RowRequest {
  const columns = table.columns.map((column) => ({ name: column.name, as: column.type, column }))
  return { table, columns, range, where: null, ordered: range.by === 'key' }
}

export const NEVER = new AbortController().signal

export async function rowsOf(
  store: CopyStore,
  request: RowRequest,
  size = { rows: 1000, bytes: 1_000_000 },
): Promise<Row[]> {
  await using view = await store.source(NEVER)
  const rows: Row[] = []
  for await (const batch of view.read(request, size, NEVER)) rows.push(...batch.rows)
  return rows
}

export async function onlyTable(store: CopyStore, name: string): Promise<TableSpec> {
  const [table, ...more] = await store.tables(name, NEVER)
  if (table === undefined || more.length > 0) throw new Error(`${name} names ${more.length + 1} tables`)
  return table
}
