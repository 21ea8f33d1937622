/**
 * The CSV in which rows travel to and from Parquet files. One line a row, columns in the order of the table, fields separated by commas, lines
 * ended by a line feed. NULL is an empty field; every field that is a text is in double quotes where it is empty or holds a quote, a comma, CR or LF
 * (quotes inside are doubled). A field is the canonical text of its value (docs/CANONICAL.md), but for
 * floats (the shortest decimal digits that name the value; `NaN`, `Infinity`, `-Infinity`) and
 * decimals, which may keep zeros at their end.
 * Bytes are hexadecimal digits without a prefix, true and false `1` and `0`, moments are in UTC without a mark of that.
 */
import { hexDigits } from '../copy/bytes-text.ts'
import type { Row } from '../copy/rows.ts'
import type { StoredColumn } from './stored-column.ts'

/** PostgreSQL takes a line of nothing but `\.` for the end of all rows. */
const NEEDS_QUOTES = /["\r\n,]|^\\\.$/

/** A row in canonical form as its line, line feed included. */
export function wireLine(row: Row, columns: readonly StoredColumn[]): string {
  let line = ''
  for (let i = 0; i < columns.length; i++) {
    if (i > 0) line += ','
    const cell = row[i] ?? null
    if (cell === null) continue
    if (typeof cell === 'string') line += cell === '' || NEEDS_QUOTES.test(cell) ? quoted(cell) : cell
    else line += typeof cell === 'number' ? floatText(cell) : hex(cell)
  }
  return `${line}\n`
}

function quoted(text: string): string {
  return `"${text.replaceAll('"', '""')}"`
}

function floatText(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value)
}

/** Bytes that are empty are not NULL. */
function hex(bytes: Uint8Array): string {
  return bytes.byteLength === 0 ? '""' : hexDigits(bytes)
}
