/** What a change keeps in memory until it is written. */
import type { Change, ChangeRow, RowChange } from '../../../model/copy/change.ts'

/** Bytes of changes that wait to be written: rows may be wide, and twenty thousand of a megabyte would fill any memory. */
export const MOST_BYTES = 32 * 1024 * 1024

const NUMBER = 8

export function isRow(change: Change): change is RowChange {
  return change.type === 'insert' || change.type === 'update' || change.type === 'delete'
}

/** Bytes of the values of a change, roughly: a text counts a byte a character. */
export function bytesOf(change: RowChange): number {
  if (change.frame !== undefined) return change.frame.bytes
  return sumOf(change.type === 'delete' ? change.key : change.row)
}

function sumOf(row: ChangeRow): number {
  let bytes = 0
  for (const cell of row) bytes += typeof cell === 'string' || cell instanceof Uint8Array ? cell.length : NUMBER
  return bytes
}
