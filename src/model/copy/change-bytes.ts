/** Memory that a change takes until it is written. */
import type { Change, ChangeRow, RowChange } from './change.ts'

/** Maximum bytes of unwritten changes: a limit of rows is not enough, because 20,000 rows may have 1 MB each. */
export const MOST_BYTES = 32 * 1024 * 1024

const NUMBER = 8

export function isRow(change: Change): change is RowChange {
  return change.type === 'insert' || change.type === 'update' || change.type === 'delete'
}

/** Approximate bytes of the values of a change; a text counts one byte per character. */
export function changeBytes(change: RowChange): number {
  if (change.frame !== undefined) return change.frame.bytes
  return sumOf(change.type === 'delete' ? change.key : change.row)
}

function sumOf(row: ChangeRow): number {
  let bytes = 0
  for (const cell of row) bytes += typeof cell === 'string' || cell instanceof Uint8Array ? cell.length : NUMBER
  return bytes
}
