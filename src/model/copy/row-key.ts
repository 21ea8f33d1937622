/** The key of one row as texts, by which a store finds it. NULL is null, never the empty text, which is another key. */
import { bytesText } from './bytes-text.ts'
import type { Cell, Row } from './rows.ts'

/** Each value as in `KeyBound`, null for NULL: then several rows may have the same key. */
export type RowKey = readonly (string | null)[]

/** The row key of a row. @param places indexes of the key columns in the row */
export function rowKeyOf(row: Row, places: readonly number[]): RowKey {
  return places.map((at) => keyPart(row[at] ?? null))
}

/** One key value as text; null for NULL. */
export function keyPart(cell: Cell): string | null {
  if (cell === null) return null
  if (typeof cell === 'object') return bytesText(cell)
  // Some systems store both zeros under different keys.
  return Object.is(cell, -0) ? '-0' : String(cell)
}

/** False for an empty key, or one with NULL: it may match several rows. */
export function isOneRow(key: RowKey): boolean {
  return key.length > 0 && !key.includes(null)
}

/** For messages: `7, NULL`. */
export function rowKeyText(key: RowKey): string {
  return key.map((text) => text ?? 'NULL').join(', ')
}
