/** Encodes rows of cells in COPY's text format, in pieces for a socket. */
import { withoutArrayBounds } from '../../../model/copy/array-bounds.ts'
import { bytesText } from '../../../model/copy/bytes-text.ts'
import { isLong, cellPieces } from '../../../model/copy/long-cell.ts'
import type { ColumnType } from '../../../model/copy/column-type.ts'
import type { Cell, Row } from '../../../model/copy/rows.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { WriteColumn } from '../../../model/copy/write-column.ts'
import { arrayLiteral, arrayElements } from './array-literal.ts'

/** Characters of a piece. Larger pieces are not faster, and smaller ones need more system calls. */
const PIECE = 128 * 1024
const SPECIAL = /[\\\t\n\r]/
const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' }
const NUL_OR_LONE = /\0|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/

/** A quoted element of an array literal. */
const ELEMENT = /"((?:[^"\\]|\\.)*)"/gs

type Field = (cell: Exclude<Cell, null>) => string

/**
 * @param table name for messages
 * @param first COPY text of a column in front of `columns`, the same in each row; empty for none
 * @returns a function that yields the COPY text of rows in pieces
 */
export function encoder(
  table: string,
  columns: readonly WriteColumn[],
  first = '',
): (rows: readonly Row[]) => Generator<Buffer> {
  // Generated columns are not sent.
  const fields = columns.map((column) => (column.column.generated === true ? null : fieldOf(table, column)))
  return function* encode(rows) {
    let text = ''
    let from = 0
    for (let r = 0; r < rows.length; r++) {
      const row = rows[r] as Row
      if (row.some(isLong)) {
        if (text !== '') yield piece(text, table, columns, rows.slice(from, r))
        text = ''
        from = r + 1
        yield* longLine(fields, row, first, (part) => piece(part, table, columns, [row]))
        continue
      }
      const line = lineOf(table, fields, row, first)
      if (text !== '' && text.length + line.length > PIECE) {
        yield piece(text, table, columns, rows.slice(from, r))
        text = ''
        from = r
      }
      text += line
    }
    if (text !== '') yield piece(text, table, columns, rows.slice(from))
  }
}

function lineOf(table: string, fields: readonly (Field | null)[], row: Row, first: string): string {
  try {
    let line = first
    let before = first === '' ? '' : '\t'
    for (let c = 0; c < fields.length; c++) {
      const field = fields[c] as Field | null
      if (field === null) continue
      const cell = row[c] as Cell
      line += before + (cell === null ? '\\N' : field(cell))
      before = '\t'
    }
    return `${line}\n`
  } catch (error) {
    // JavaScript throws these errors for texts above half a gigabyte.
    if (!(error instanceof RangeError) && (error as NodeJS.ErrnoException).code !== 'ERR_STRING_TOO_LONG') throw error
    throw new SluiceError('ROW_REFUSED', `a row is too large to be written to ${table} as text`, {
      where: table,
      hint: 'exclude the large column with --columns',
      cause: error,
    })
  }
}

/** Yields the line of one row in pieces. @param made encodes a part of the line */
function* longLine(
  fields: readonly (Field | null)[],
  row: Row,
  first: string,
  made: (part: string) => Buffer,
): Generator<Buffer> {
  let text = first
  let before = first === '' ? '' : '\t'
  for (const [c, field] of fields.entries()) {
    if (field === null) continue
    const cell = row[c] ?? null
    text += before
    before = '\t'
    if (field !== fieldText || !isLong(cell)) {
      text += cell === null ? '\\N' : field(cell)
      continue
    }
    if (typeof cell !== 'string') text += '\\\\x'
    for (const part of cellPieces(cell)) {
      yield made(text + (typeof cell === 'string' ? escaped(part) : part))
      text = ''
    }
  }
  yield made(`${text}\n`)
}

function piece(text: string, table: string, columns: readonly WriteColumn[], rows: readonly Row[]): Buffer {
  if (NUL_OR_LONE.test(text)) throw badCharacter(table, columns, rows)
  return Buffer.from(text, 'utf8')
}

/**
 * Encodes cells as parameters of a statement: as COPY's text format, but without escapes.
 * @param table name for messages
 * @returns a function of a cell and its column's index in `columns`; it throws SluiceError ROW_REFUSED for a text that
 * cannot be stored
 */
export function parameterTexts(
  table: string,
  columns: readonly WriteColumn[],
): (cell: Exclude<Cell, null>, at: number) => string {
  const texts = columns.map((column) => valueOf(table, column))
  return (cell, at) => {
    const text = (texts[at] as Field)(cell)
    if (typeof cell === 'string' && NUL_OR_LONE.test(text)) {
      throw badCharacter(table, [columns[at] as WriteColumn], [[cell]])
    }
    return text
  }
}

function valueOf(table: string, column: WriteColumn): Field {
  const value = textOf(column)
  const { type } = column.column
  const most = shorterThan(column.as, type)
  if (most === null) return value
  if (type.kind !== 'list') return (cell) => uncut(value(cell), most, table, column)
  return (cell) => {
    const text = value(cell)
    if (text.includes(' "'))
      for (const [, element = ''] of text.matchAll(ELEMENT))
        uncut(element.replaceAll(/\\(.)/gs, '$1'), most, table, column)
    return text
  }
}

/** `n` of a varchar(n), or of a list of them, if texts from the source may be longer; null for other columns. */
function shorterThan(as: ColumnType, type: ColumnType): number | null {
  if (as.kind === 'list' && type.kind === 'list') return shorterThan(as.of, type.of)
  if (type.kind !== 'text' || type.most === undefined || type.padded === true) return null
  return as.kind === 'text' && (as.most ?? Infinity) <= type.most ? null : type.most
}

/** Refuses a text with blanks beyond the limit: the server would cut them off without an error. */
function uncut(text: string, most: number, table: string, { name, column: { native } }: WriteColumn): string {
  if (text.length <= most || !text.endsWith(' ') || Array.from(text).length <= most) return text
  throw new SluiceError(
    'ROW_REFUSED',
    `column ${name} of ${table} (${native}) would cut off trailing spaces of a value`,
    {
      where: table,
      reason: `the value has more than ${most} characters`,
      hint: 'correct the value at the source, or give the column another type',
    },
  )
}

function textOf({ as, name, column: { type } }: WriteColumn): Field {
  if (as.kind === 'list' && type.kind === 'list') {
    const of = arrayElements(type)
    return (cell) => arrayLiteral(String(cell), of)
  }
  if (as.kind === 'float') return (cell) => (Object.is(cell, -0) ? '-0' : String(cell))
  return withoutArrayBounds(as, (cell) => (typeof cell === 'object' ? bytesText(cell) : String(cell)), name)
}

function fieldOf(table: string, column: WriteColumn): Field {
  const value = valueOf(table, column)
  switch (column.as.kind) {
    // The text of a value of these types needs no escapes.
    case 'bool':
    case 'int':
    case 'decimal':
    case 'uuid':
      return String
    case 'float':
      return value
    case 'list':
      return (cell) => escaped(value(cell))
    default:
      return shorterThan(column.as, column.column.type) === null ? fieldText : (cell) => escaped(value(cell))
  }
}

function fieldText(cell: Exclude<Cell, null>): string {
  if (typeof cell === 'object') return `\\${bytesText(cell)}`
  return escaped(String(cell))
}

function escaped(text: string): string {
  return SPECIAL.test(text) ? text.replaceAll(/[\\\t\n\r]/g, (char) => ESCAPES[char] ?? char) : text
}

function badCharacter(table: string, columns: readonly WriteColumn[], rows: readonly Row[]): SluiceError {
  for (const row of rows) {
    const at = row.findIndex((cell) => typeof cell === 'string' && NUL_OR_LONE.test(cell))
    const cell = row[at]
    if (typeof cell !== 'string') continue
    const nul = cell.includes('\0')
    return new SluiceError(
      'ROW_REFUSED',
      `column ${columns[at]?.name} of ${table} cannot store ${nul ? 'the character U+0000' : 'the text: it has an unpaired surrogate'}`,
      {
        where: table,
        reason: nul ? 'PostgreSQL cannot store NUL characters in texts' : 'PostgreSQL stores only complete characters',
        hint: 'correct the value in the source',
      },
    )
  }
  return new SluiceError('INTERNAL', `a text for ${table} cannot be written`)
}
