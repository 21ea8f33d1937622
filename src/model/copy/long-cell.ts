/** Long values, processed in pieces: as one text they would take several times their size in memory. */
import { hexDigits } from './bytes-text.ts'
import type { Cell } from './rows.ts'

/** A value above this length is long: characters of a text, or bytes. */
const LONG = 1 << 20
/** Length of a piece. Short, so that pieces that were hashed or sent are freed immediately. */
const PIECE = 1 << 15

export type LongCell = Exclude<Cell, null | number>

export function isLong(cell: Cell): cell is LongCell {
  return cell !== null && typeof cell !== 'number' && cell.length > LONG
}

/** Yields a text, or the hexadecimal digits of bytes, in pieces of 32 Ki characters or bytes; keeps surrogate pairs. */
export function* cellPieces(cell: LongCell): Generator<string> {
  for (let at = 0; at < cell.length;) {
    const isCut = typeof cell === 'string' && (cell.charCodeAt(at + PIECE - 1) & 0xfc00) === 0xd800
    const end = at + PIECE + (isCut ? 1 : 0)
    yield typeof cell === 'string' ? cell.slice(at, end) : hexDigits(cell.subarray(at, end))
    at = end
  }
}
