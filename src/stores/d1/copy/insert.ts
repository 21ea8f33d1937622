/**
 * Makes statements for rows. One parameter holds many rows as a JSON list of lists: a statement takes only a hundred
 * parameters, and the API counts requests. A row that is too long for such a list gets its own statement, with its long
 * values as parameters.
 */
import { hexDigits } from '../../../model/copy/bytes-text.ts'
import { tableText, type TableSpec } from '../../../model/copy/column-type.ts'
import type { Row } from '../../../model/copy/rows.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { WriteColumn } from '../../../model/copy/write-column.ts'
import { ofValue } from '../../common/refusals.ts'
import { insertEnds, rowidKey, type OnConflict } from '../../common/sqlite-dialect/ddl.ts'
import type { D1Statement } from '../client.ts'
import type { SqlRow, SqlValue } from '../../../model/run/sql-port.ts'
import { d1Encoder, MOST_ROW_BYTES, type D1Encoder } from './cells.ts'

/** Bytes of JSON per statement. A parameter may be twice as long, but that gains nothing. */
const JSON_BYTES = 1_000_000
/** Bytes above which a value of a long row gets its own parameter. */
const LONG_VALUE_BYTES = 50_000
/** Hex digits per parameter; a longer BLOB takes several parameters. */
const HEX_PIECE = 1_000_000
const MOST_PARAMETERS = 100
/** Maximum number of columns of a table in D1. */
export const D1_MOST_COLUMNS = 100

export type InsertOptions = {
  readonly onConflict: OnConflict
  /** Rows per statement, if the user set it. */
  readonly rowsPerInsert?: number
}

export class Inserts {
  readonly #table: TableSpec
  readonly #columns: readonly WriteColumn[]
  readonly #encoders: readonly D1Encoder[]
  readonly #head: string
  readonly #tail: string
  /** Statement for usual rows, and for rows with extreme numbers or values of another type (see `isSpecial`). */
  readonly #sql: readonly [plain: string, odd: string]
  readonly #mostRows: number
  /** Index of the column in which SQLite would replace NULL by a row number; -1 if there is none. */
  readonly #alias: number

  constructor(table: TableSpec, columns: readonly WriteColumn[], { onConflict, rowsPerInsert }: InsertOptions) {
    const { head, tail } = insertEnds(
      table,
      columns.map(({ name }) => name),
      onConflict,
    )
    this.#table = table
    this.#columns = columns
    this.#encoders = columns.map(d1Encoder)
    this.#head = head
    // Without WHERE, SQLite would parse ON CONFLICT as the ON of a join.
    this.#tail = ` WHERE true${tail}`
    const sql = (odd: boolean): string => {
      const values = this.#encoders.map((encoder, i) => encoder.sql(i, odd))
      return `${head}SELECT ${values.join(', ')} FROM json_each(?)${this.#tail}`
    }
    this.#sql = [sql(false), sql(true)]
    this.#mostRows = rowsPerInsert ?? Number.POSITIVE_INFINITY
    const placeOf = (name: string | undefined): number => columns.findIndex((column) => column.name === name)
    this.#alias = placeOf(table.columns.find(({ identity }) => identity === true)?.name ?? rowidKey(table) ?? undefined)
  }

  /** The statements that store these rows. @throws SluiceError ROW_REFUSED for a row that D1 cannot store unchanged */
  of(rows: readonly Row[]): readonly D1Statement[] {
    const statements: D1Statement[] = []
    let some: string[] = []
    let bytes = 0
    let odd = false
    const flush = (): void => {
      if (some.length > 0) statements.push({ sql: this.#sql[odd ? 1 : 0], params: [`[${some.join(',')}]`] })
      some = []
      bytes = 0
      odd = false
    }
    for (const row of rows) {
      const values = this.#bound(row)
      const json = this.#json(values)
      const length = Buffer.byteLength(json) + 1
      if (length > JSON_BYTES) {
        flush()
        statements.push(this.#long(values))
        continue
      }
      if (bytes + length > JSON_BYTES || some.length >= this.#mostRows) flush()
      some.push(json)
      bytes += length
      odd ||= values.some((value, i) => this.#encoders[i]?.isSpecial(value) === true)
    }
    flush()
    return statements
  }

  #bound(row: Row): SqlRow {
    const values: SqlValue[] = new Array<SqlValue>(this.#encoders.length)
    let i = 0
    try {
      for (; i < values.length; i++) {
        const cell = row[i] ?? null
        if (cell !== null) values[i] = this.#encoders[i]?.bind(cell) ?? null
        else if (i === this.#alias)
          throw new SluiceError('ROW_REFUSED', 'D1 would replace NULL by a generated number', {
            hint: 'give the column a value in this row of the source',
          })
        else values[i] = null
      }
    } catch (error) {
      throw ofValue(error, { table: this.#table, columns: this.#columns }, row, i)
    }
    return values
  }

  #json(values: SqlRow): string {
    let json = '['
    for (let i = 0; i < values.length; i++) {
      if (i > 0) json += ','
      json += this.#encoders[i]?.json(values[i] ?? null) ?? 'null'
    }
    return `${json}]`
  }

  /** Statement for one row whose long values are parameters. */
  #long(row: SqlRow): D1Statement {
    const sizes = row.map(bytesOf)
    const total = sizes.reduce((sum, size) => sum + size, 0)
    if (total > MOST_ROW_BYTES) throw this.#tooLarge(total, sizes)
    const params: string[] = []
    const rest: SqlValue[] = []
    const values = row.map((value, i) => {
      const long = (sizes[i] ?? 0) > LONG_VALUE_BYTES
      rest.push(long ? null : value)
      if (!long) return this.#encoders[i]?.sql(i, true) ?? 'NULL'
      if (value === null || typeof value !== 'object') {
        params.push(String(value))
        return '?'
      }
      const hex = hexDigits(value)
      const pieces: string[] = []
      for (let at = 0; at < hex.length; at += HEX_PIECE) pieces.push(hex.slice(at, at + HEX_PIECE))
      params.push(...pieces)
      return `CAST(${pieces.map(() => 'unhex(?)').join(' || ')} AS BLOB)`
    })
    if (params.length >= MOST_PARAMETERS) throw this.#tooLarge(total, sizes)
    return {
      sql: `${this.#head}SELECT ${values.join(', ')} FROM json_each(?)${this.#tail}`,
      params: [...params, `[${this.#json(rest)}]`],
    }
  }

  #tooLarge(total: number, sizes: readonly number[]): SluiceError {
    const largest = this.#columns[sizes.indexOf(Math.max(...sizes))]?.name ?? ''
    return new SluiceError(
      'ROW_REFUSED',
      `the row is too large: it has ${total} bytes, and its largest value is in ${largest}`,
      {
        where: tableText(this.#table.table),
        reason: `the limit of D1 is ${MOST_ROW_BYTES} bytes for a value, and for all values of a row`,
        hint: 'store long values elsewhere, such as in R2, or exclude the column with --columns',
      },
    )
  }
}

function bytesOf(value: SqlValue): number {
  if (value === null) return 1
  if (typeof value === 'object') return value.byteLength
  return typeof value === 'string' ? Buffer.byteLength(value) : 8
}
