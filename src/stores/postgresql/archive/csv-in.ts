/** Loads the CSV of `model/archive/wire.ts` into a table by COPY, nearly unchanged. */
import type { TableName } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { WriteColumn } from '../../../model/copy/write-column.ts'
import type { CopySession } from '../server/session.ts'
import { columnList, tableSql } from '../server/sql.ts'

/**
 * Sends all rows to the server.
 * @param options further options of COPY, such as `, FREEZE`
 * @returns the number of rows that the server stored
 * @throws SluiceError UNSUPPORTED_TYPE for list columns, which cannot be written from CSV; errors of the server, and of
 * `csv`
 */
export async function loadCsv(
  session: CopySession,
  table: TableName,
  columns: readonly WriteColumn[],
  csv: AsyncIterable<Buffer>,
  options = '',
): Promise<bigint> {
  const fits = columns.map(fitOf)
  const kept = columns.filter((_, i) => fits[i] !== 'drop').map(({ name }) => name)
  // Before version 18 a line `\.` would end the rows.
  const needed = kept.length === 1 ? fits.map((fit) => fit ?? 'quoted') : fits
  const pieces = needed.every((fit) => fit === null) ? csv : refitted(csv, needed)
  return session.copyIn(`COPY ${tableSql(table)} (${columnList(kept)}) FROM STDIN (FORMAT csv${options})`, pieces)
}

function fitOf({ name, as, column }: WriteColumn): Refit | null {
  // The server accepts no values for generated columns.
  if (column.generated === true) return 'drop'
  if (as.kind === 'bytes') return 'bytes'
  if (as.kind !== 'list') return null
  throw new SluiceError('UNSUPPORTED_TYPE', `lists of ${name} cannot be written from CSV`, {
    reason: 'PostgreSQL reads an array only in its own text form, such as {1,2}',
    kind: 'target',
  })
}

/** Rewrites CSV fields for COPY as a stream; only the current piece is in memory. */

/** `bytes`: adds PostgreSQL's prefix for hex digits. `drop`: omitted. `quoted`: a leading backslash is quoted. */
export type Refit = 'bytes' | 'drop' | 'quoted'

const QUOTE = 34
const COMMA = 44
const NEWLINE = 10
const BACKSLASH = 92

const MARK = Buffer.from(String.raw`\x`)
const QUOTED_MARK = Buffer.from(String.raw`"\x`)
const ONE_QUOTE = Buffer.from('"')
const ONE_COMMA = Buffer.from(',')
const ONE_NEWLINE = Buffer.from('\n')

/** @param fits change of each field of a line; null for an unchanged field. At least one field is not dropped */
export async function* refitted(csv: AsyncIterable<Buffer>, fits: readonly (Refit | null)[]): AsyncGenerator<Buffer> {
  const fields = new Fields(fits)
  for await (const piece of csv) yield fields.of(piece)
}

class Fields {
  readonly #fits: readonly (Refit | null)[]
  readonly #keeps: readonly boolean[]
  /** By field: true if the comma before it is kept. */
  readonly #commas: readonly boolean[]
  #column = 0
  #atStart = true
  #inQuotes = false
  /** True if the current field began with a backslash, and so needs a closing quote. */
  #open = false

  constructor(fits: readonly (Refit | null)[]) {
    this.#fits = fits
    this.#keeps = fits.map((fit) => fit !== 'drop')
    this.#commas = this.#keeps.map((keeps, i) => keeps && this.#keeps.indexOf(true) < i)
  }

  of(piece: Buffer): Buffer {
    const parts: Buffer[] = []
    // Local variables, since this runs for every byte.
    let [column, atStart, inQuotes] = [this.#column, this.#atStart, this.#inQuotes]
    let keeps = this.#keeps[column] === true
    let from = 0
    for (let at = 0; at < piece.length; at++) {
      if (inQuotes) {
        at = piece.indexOf(QUOTE, at)
        if (at === -1) break
        inQuotes = false
        continue
      }
      const byte = piece[at]
      if (byte === COMMA || byte === NEWLINE) {
        if (this.#open) {
          parts.push(piece.subarray(from, at), ONE_QUOTE)
          from = at
          this.#open = false
        }
        column = byte === COMMA ? column + 1 : 0
        atStart = true
        const goesOn = this.#keeps[column] === true
        if (keeps && goesOn) continue
        if (keeps) parts.push(piece.subarray(from, at))
        if (byte === NEWLINE) parts.push(ONE_NEWLINE)
        else if (this.#commas[column] === true) parts.push(ONE_COMMA)
        from = at + 1
        keeps = goesOn
        continue
      }
      if (byte === QUOTE) inQuotes = true
      if (!atStart) continue
      atStart = false
      const fit = this.#fits[column]
      if (fit === 'bytes') {
        parts.push(piece.subarray(from, at), inQuotes ? QUOTED_MARK : MARK)
        from = inQuotes ? at + 1 : at
      } else if (fit === 'quoted' && byte === BACKSLASH) {
        parts.push(piece.subarray(from, at), ONE_QUOTE)
        from = at
        this.#open = true
      }
    }
    if (keeps) parts.push(piece.subarray(from))
    this.#column = column
    this.#atStart = atStart
    this.#inQuotes = inQuotes
    const [first] = parts
    return parts.length === 1 && first !== undefined ? first : Buffer.concat(parts)
  }
}
