/** Rows into Parquet files and back: every type with the values that go wrong, and whatever breaks on the way. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ParquetFiles } from '../../src/model/archive/parquet-port.ts'
import type { StoredTable } from '../../src/model/archive/stored-column.ts'
import type { ColumnType } from '../../src/model/copy/column-type.ts'
import type { Cell, Row } from '../../src/model/copy/rows.ts'
import { openParquetFiles } from '../../src/stores/duckdb/archive/index.ts'
import { column, csvOf, drained, gathered, NEVER, newFolder, stored, sumOf } from '../support/archive-kit.ts'
import { TEXTS, ZOO } from '../support/copy-zoo.ts'

const MB = 1 << 20
let folder: string
let files: ParquetFiles
let count = 0
beforeAll(async () => {
  folder = newFolder()
  files = await openParquetFiles({ memoryBytes: 512 * MB, threads: 2, tempFolder: join(folder, 'temp') })
})
afterAll(async () => {
  await files[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

async function written(table: StoredTable, csv: AsyncIterable<Buffer>, fileBytes = 100 * MB): Promise<string[]> {
  const request = { table, folder: join(folder, 'files'), prefix: `part-${++count}`, fileBytes, signal: NEVER }
  return (await files.write(request, csv)).map(({ name }) => join(request.folder, name))
}

/** Through files and back in every way; rows are told by their first column. */
async function goesThrough(table: StoredTable, rows: readonly Row[]): Promise<void> {
  const { columns } = table
  const request = { columns, files: await written(table, csvOf(rows, columns)), signal: NEVER }
  const [examined] = await files.examine(request)
  expect(examined?.digest).toEqual(sumOf(rows))
  const back = (await gathered(files.rows(request, 7))).map((row) => row.map(plain))
  expect(back.toSorted(byFirst)).toEqual(rows.map((row) => row.map(plain)).toSorted(byFirst))
  const { text, rows: counted } = await drained(files.csv(request))
  expect(counted).toBe(BigInt(rows.length))
  const again = { ...request, files: await written(table, once(text)) }
  expect((await files.examine(again))[0]?.digest).toEqual(sumOf(rows))
}

async function* once(text: string): AsyncGenerator<Buffer> {
  yield Buffer.from(text)
}

function byFirst([a]: Row, [b]: Row): number {
  return Number(a) - Number(b)
}

function plain(cell: Cell): Cell {
  return cell instanceof Uint8Array ? `\\x${Buffer.from(cell).toString('hex')}` : cell
}

const numbered = (cells: readonly Cell[]): Row[] => cells.map((cell, i) => [String(i), cell])
const ID = column('id', { kind: 'int', bits: 32 })

const HARD: readonly { readonly name: string; readonly type: ColumnType; readonly cells: readonly Cell[] }[] = [
  ...ZOO,
  {
    name: 'floats',
    type: { kind: 'float', bits: 64 },
    cells: [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 0, 5e-324, 1e308, 1 / 3, 1e22, 123456789.125, null],
  },
  {
    name: 'numeric(4,4)',
    type: { kind: 'decimal', precision: 4, scale: 4 },
    cells: ['0.0012', '-0.0012', '0', '0.9999', '-0.9999', '0.5', null],
  },
  {
    name: 'numeric(38,38)',
    type: { kind: 'decimal', precision: 38, scale: 38 },
    cells: [`0.${'1'.repeat(38)}`, `-0.${'9'.repeat(38)}`, '0', null],
  },
  { name: 'numeric(38)', type: { kind: 'decimal', precision: 38, scale: 0 }, cells: ['9'.repeat(38), `-${'9'.repeat(38)}`, '0', null] },
  { name: 'text', type: { kind: 'text' }, cells: [...TEXTS, '\\.', 'a\u0000b', '\u0000', ',', '"', '""', '\r', '\n', '\u{feff}', ' x ', '#', null] },
  { name: 'char', type: { kind: 'text', padded: true }, cells: ['a', ' a', '', null] },
  { name: 'json', type: { kind: 'json' }, cells: ['{"a": 1,  "a": 2}', '[]', 'null', null] },
  { name: 'int24', type: { kind: 'int', bits: 24, unsigned: true }, cells: ['16777215', '0', null] },
  { name: 'uint32', type: { kind: 'int', bits: 32, unsigned: true }, cells: ['4294967295', '0', null] },
  { name: 'int8', type: { kind: 'int', bits: 8 }, cells: ['-128', '127', null] },
  { name: 'uint8', type: { kind: 'int', bits: 8, unsigned: true }, cells: ['255', null] },
  { name: 'timestamptz', type: { kind: 'timestamp', zone: true, digits: 6 }, cells: ['0001-01-01 00:00:00', '9999-12-31 23:59:59.999999', '1969-12-31 23:59:59.000001', null] },
]

describe('values', () => {
  it.each(HARD.map((one) => [one.name, one] as const))('%s', async (_, { type, cells }) => {
    await goesThrough(stored([ID, column('value', type)]), numbered(cells))
  })
})
