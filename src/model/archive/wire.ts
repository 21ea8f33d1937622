/**
 * The CSV form of rows on the way to and from Parquet files. One line per row, columns in table order, separated by
 * commas, lines ended by a line feed. NULL is an empty field. A text field is quoted if it is empty or holds a quote, a
 * comma, CR or LF; quotes inside are doubled. A field is the canonical text of its value (docs/reference/CANONICAL.md),
 * except floats (the shortest decimal digits that name the value; `NaN`, `Infinity`, `-Infinity`) and decimals
 * (trailing zeros allowed). Bytes are hexadecimal digits without a prefix, booleans are `1` and `0`, timestamps are UTC
 * without a zone.
 */
import { hexDigits } from '../copy/bytes-text.ts'
import { isLong, cellPieces, type LongCell } from '../copy/long-cell.ts'
import type { Cell, Row } from '../copy/rows.ts'
import type { StoredColumn } from './stored-column.ts'
import { doubleText } from '../copy/canonical.ts'

/** PostgreSQL reads a line that holds only `\.` as the end of all rows. */
const NEEDS_QUOTES = /["\r\n,]|^\\\.$/

/** A canonical row as a CSV line, line feed included. */
export function wireLine(row: Row, columns: readonly StoredColumn[]): string {
  let line = ''
  for (let i = 0; i < columns.length; i++) {
    if (i > 0) line += ','
    const cell = row[i] ?? null
    if (cell !== null) line += field(cell)
  }
  return `${line}\n`
}

function field(cell: NonNullable<Cell>): string {
  if (typeof cell === 'string') return textField(cell)
  return typeof cell === 'number' ? doubleText(cell) : hex(cell)
}

/** The CSV field of a text that is not NULL. */
export function textField(text: string): string {
  return text === '' || NEEDS_QUOTES.test(text) ? quoted(text) : text
}

/** Characters per piece. A string holds at most 0.5 GB, which the hexadecimal digits of a 256 MB value would reach. */
const PIECE = 1 << 20

/** Canonical rows as CSV bytes, in pieces of about 1 MB whatever a row holds. */
export function* wirePieces(rows: readonly Row[], columns: readonly StoredColumn[]): Generator<Buffer> {
  let text = ''
  for (const row of rows) {
    if (!row.some(isLong)) {
      text += wireLine(row, columns)
    } else {
      for (const [i, cell] of row.entries()) {
        if (i > 0) text += ','
        if (cell === null) continue
        if (!isLong(cell)) {
          text += field(cell)
          continue
        }
        yield Buffer.from(text)
        text = ''
        yield* longField(cell)
      }
      text += '\n'
    }
    if (text.length < PIECE) continue
    yield Buffer.from(text)
    text = ''
  }
  if (text !== '') yield Buffer.from(text)
}

function* longField(cell: LongCell): Generator<Buffer> {
  const isText = typeof cell === 'string'
  if (isText) yield Buffer.from('"')
  for (const part of cellPieces(cell)) yield Buffer.from(isText ? part.replaceAll('"', '""') : part)
  if (isText) yield Buffer.from('"')
}

function quoted(text: string): string {
  return `"${text.replaceAll('"', '""')}"`
}

/** Empty bytes are quoted, because an empty field is NULL. */
function hex(bytes: Uint8Array): string {
  return bytes.byteLength === 0 ? '""' : hexDigits(bytes)
}
