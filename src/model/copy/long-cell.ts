/** Values of which no text is made whole, since it would take several times their size. */
import { hexDigits } from './bytes-text.ts'
import type { Cell } from './rows.ts'

/** Characters of a text, and bytes. */
const LONG = 1 << 20
/** Small enough that what was hashed or sent is let go of at once. */
const PIECE = 1 << 15

export type LongCell = Exclude<Cell, null | number>

export function isLong(cell: Cell): cell is LongCell {
  return cell !== null && typeof cell !== 'number' && cell.length > LONG
}

/** The characters of a text, or the digits of bytes, in pieces of 32 Ki characters or bytes; a character of two code units stays whole. */
export function* piecesOf(cell: LongCell): Generator<string> {
  for (let at = 0; at < cell.length;) {
    const isCut = typeof cell === 'string' && (cell.charCodeAt(at + PIECE - 1) & 0xfc00) === 0xd800
    const end = at + PIECE + (isCut ? 1 : 0)
    yield typeof cell === 'string' ? cell.slice(at, end) : hexDigits(cell.subarray(at, end))
    at = end
  }
}
