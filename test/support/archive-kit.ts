/** Tables with difficult values as an archive stores them; writes them to Parquet files and reads them back. */
import { mkdtempSync, mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { storedTable, type StoringOptions } from '../../src/archive/types/index.ts'
import type { StoredColumn, StoredTable } from '../../src/model/archive/stored-column.ts'
import { wireLine } from '../../src/model/archive/wire.ts'
import type { Column, ColumnType, TableSpec } from '../../src/model/copy/column-type.ts'
import { RowChecksum } from '../../src/model/copy/row-hash.ts'
import type { Digest, Row } from '../../src/model/copy/rows.ts'

export const NEVER = new AbortController().signal

export function column(name: string, type: ColumnType, more: Partial<Column> = {}): Column {
  return { name, type, native: type.kind, nullable: true, ...more }
}

export function tableOf(columns: readonly Column[], key: readonly string[] = []): TableSpec {
  return { table: { name: 'things' }, identity: 'things', columns, key, primary: true, rows: 0n, bytes: 0n }
}

export function stored(columns: readonly Column[], more: Partial<StoringOptions> = {}): StoredTable {
  return storedTable(tableOf(columns), { asText: [], comments: {}, sortBy: [], ...more })
}

export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-archive-'))
  mkdirSync(join(folder, 'files'))
  return folder
}

/** Rows as CSV, in buffers of any size. */
export async function* csvOf(
  rows: readonly Row[],
  columns: readonly StoredColumn[],
  step = 50_000,
): AsyncGenerator<Buffer> {
  const all = Buffer.from(rows.map((row) => wireLine(row, columns)).join(''))
  for (let at = 0; at < all.length; at += step) yield all.subarray(at, at + step)
}

export function sumOf(rows: readonly Row[]): Digest {
  const sum = new RowChecksum()
  for (const row of rows) sum.add(row)
  return sum.digest()
}

export async function gathered<T>(all: AsyncIterable<readonly T[]>): Promise<T[]> {
  const list: T[] = []
  for await (const some of all) list.push(...some)
  return list
}

/** The whole CSV as text, and the number of rows that the generator reported. */
export async function drained(csv: AsyncGenerator<Buffer, bigint>): Promise<{ text: string; rows: bigint }> {
  const parts: Buffer[] = []
  for (;;) {
    const next = await csv.next()
    if (next.done === true) return { text: Buffer.concat(parts).toString('utf8'), rows: next.value }
    parts.push(next.value)
  }
}
