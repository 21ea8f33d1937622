/** Writes rows in COPY's text format, in pieces for a socket. */
import { bytesText } from '../../../model/copy/bytes-text.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { SqlRow, SqlValue } from '../../../model/run/sql-port.ts'

/** Characters per piece: larger ones are no faster, smaller ones cost a system call each. */
const PIECE = 128 * 1024
const SPECIAL = /[\\\t\n\r]/
const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' }

/** @throws SluiceError VALUE_REFUSED if a text contains U+0000, which PostgreSQL cannot store */
export function refuseNulCharacters(table: string, columns: readonly string[], rows: readonly SqlRow[]): void {
  for (let r = 0; r < rows.length; r++) {
    const row = rows[r] as SqlRow
    for (let c = 0; c < row.length; c++) {
      const value = row[c]
      if (typeof value !== 'string' || !value.includes('\0')) continue
      throw new SluiceError('VALUE_REFUSED', `column ${columns[c]} of ${table} cannot hold the character U+0000`, {
        where: `row ${r + 1} of the batch`,
        reason: 'PostgreSQL cannot store NUL characters in texts',
        hint: 'clean the value in the source, or use a catalog in SQLite',
      })
    }
  }
}

export function* copyText(rows: readonly SqlRow[]): Generator<Buffer> {
  let text = ''
  for (const row of rows) {
    for (let c = 0; c < row.length; c++) text += c === 0 ? field(row[c] as SqlValue) : `\t${field(row[c] as SqlValue)}`
    text += '\n'
    if (text.length >= PIECE) {
      yield Buffer.from(text, 'utf8')
      text = ''
    }
  }
  if (text !== '') yield Buffer.from(text, 'utf8')
}

function field(value: SqlValue): string {
  if (value === null) return '\\N'
  if (typeof value === 'string') {
    return SPECIAL.test(value) ? value.replaceAll(/[\\\t\n\r]/g, (char) => ESCAPES[char] ?? char) : value
  }
  if (typeof value === 'object') return `\\${bytesText(value)}`
  return String(value)
}
