/** The key of one row as texts, by which a store finds it again. A NULL is null, and never the empty text: that is the key of another row. */
import { bytesText } from './bytes-text.ts'
import type { Cell, Row } from './rows.ts'

/** Each value as `Bound` writes it, null where the column is NULL: then rows with equal keys need not be one row. */
export type RowKey = readonly (string | null)[]

/** @param places where in the row the columns of the key stand */
export function rowKeyOf(row: Row, places: readonly number[]): RowKey {
  return places.map((at) => keyPart(row[at] ?? null))
}

export function keyPart(cell: Cell): string | null {
  if (cell === null) return null
  if (typeof cell === 'object') return bytesText(cell)
  // Some systems hold both zeros under keys of their own.
  return Object.is(cell, -0) ? '-0' : String(cell)
}

/** Whether a key tells a row from all others: an empty one, or one with a NULL, does not. */
export function isOneRow(key: RowKey): boolean {
  return key.length > 0 && !key.includes(null)
}

/** For messages: `7, NULL`. */
export function rowKeyText(key: RowKey): string {
  return key.map((text) => text ?? 'NULL').join(', ')
}
