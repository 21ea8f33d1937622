/** PostgreSQL arrays with bounds that do not begin at 1, such as `[0:1]={a,b}`. JSON has none, so they stay texts. */
import type { ColumnType } from './column-type.ts'
import type { Cell } from './rows.ts'
import { SluiceError } from '../../shared/errors.ts'

/** No JSON begins like this. */
const BOUNDS = /^\[[+-]?\d+:/

/** True if the text of a list is an array with explicit bounds. */
export function hasArrayBounds(text: string): boolean {
  return BOUNDS.test(text)
}

/**
 * Encoder for a column that cannot store array bounds: as JSON, the elements would be renumbered from 1.
 * @param as type in which the values are transferred
 * @param name of the column, if the caller does not add it to errors
 * @throws (the function) SluiceError ROW_REFUSED for an array with explicit bounds
 */
export function withoutArrayBounds<C extends Cell, T>(
  as: ColumnType,
  encode: (cell: C) => T,
  name?: string,
): (cell: C) => T {
  if (as.kind !== 'list') return encode
  return (cell) => {
    if (typeof cell !== 'string' || !hasArrayBounds(cell)) return encode(cell)
    const column = name === undefined ? 'the column' : `column ${name}`
    throw new SluiceError('ROW_REFUSED', `${column} cannot store the bounds of this array: ${cell.slice(0, 60)}`, {
      reason: 'its elements are not numbered from 1, and the target numbers the elements of a list from 1',
      hint: 'change the value at its source, or exclude the column with --columns',
    })
  }
}
