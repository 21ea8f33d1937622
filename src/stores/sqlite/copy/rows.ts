/** Rows of one statement as canonical values, in slices between which other work can run. */
import type { ReadColumn } from '../../../model/copy/read-column.ts'
import { shownValue } from '../../../model/copy/bytes-text.ts'
import type Database from 'better-sqlite3'
import type { ColumnType, TableSpec } from '../../../model/copy/column-type.ts'
import type { Cell, Row } from '../../../model/copy/rows.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { isRefusedValue, storedCell, valueError, type MistypedRows } from '../../common/as-stored.ts'
import type { SqlCondition } from '../../common/key-ranges.ts'
import type { StoredValue } from '../../common/sqlite-dialect/any.ts'
import { quote } from '../../common/sqlite-dialect/ddl.ts'
import { shownSqliteKey } from './key-dialect.ts'
import { sqliteCellReaderOf, exactReader, type CellReader } from '../../common/sqlite-dialect/read-cell.ts'
import { affinityOf } from '../../common/sqlite-dialect/types.ts'

export type ScanColumn = Omit<ReadColumn, 'codec'> & {
  /** True if the table would lose something by another spelling of the column's times. */
  readonly loses?: () => boolean
}

type Decode = (bytes: Uint8Array) => string | null

export function sqliteCellReader({ column, as, exact, intoText, loses }: ScanColumn): CellReader {
  return exact === true ? exactReader(column, as, loses) : sqliteCellReaderOf(column, as, intoText)
}

export type SqliteScan = {
  readonly table: TableSpec
  readonly columns: readonly ScanColumn[]
  /** The FROM clause; absent if it is only the name of the table. */
  readonly from?: string
  readonly condition: SqlCondition
  /** The order must be unambiguous: a scan may have to restart in its middle. */
  readonly order: string
  readonly onRefused?: (row: readonly (string | null)[], error: SluiceError) => void
  /** Receives rows with a value that does not have the type of its column; see `RowRequest.asStored`. */
  readonly odd?: MistypedRows
  /** See `RowRequest.instead`. */
  readonly instead?: (shown: string) => Cell
}

/** How the values of a table must be read. Found during reading, and used for the next ranges of the table, too. */
export type ReadMode = {
  /** True if there are integers beyond 2^53: all integers are then read as bigints, which takes longer. */
  wide: boolean
  /** True if there are texts with U+FFFD, which may replace invalid UTF-8: they are then compared with their bytes. */
  bytes: boolean
}

export type Slice = { readonly rows: readonly Row[]; readonly bytes: number }

/** Open iterations, which must end before their connection can be closed. */
export type Open = Set<{ return?(): unknown }>

type Stored = null | StoredValue
export type StoredRow = readonly Stored[]

/** Number of rows between two pauses for other work. */
const SLICE_ROWS = 1000
const SLICE_BYTES = 1024 * 1024

/** @throws SluiceError VALUE_REFUSED with table, column and key if `onRefused` is absent; the driver's errors */
export function* slices(connection: Database.Database, scan: SqliteScan, care: ReadMode, open: Open): Generator<Slice> {
  let done = 0
  // In columns of any type, values are distinguished by their storage classes: 7.0 is not 7.
  if (scan.columns.some(needsClasses)) care.wide = true
  for (;;) {
    const reader = new SqliteRowReader(connection, scan, care)
    const rows = reader.statement(done).iterate(...scan.condition.parameters) as IterableIterator<Stored[]>
    open.add(rows)
    try {
      let slice: Row[] = []
      for (const stored of rows) {
        const row = reader.row(stored, done)
        if (row === 'again') break
        done++
        if (row === 'aside') continue
        slice.push(row)
        if (slice.length < SLICE_ROWS && reader.bytes < SLICE_BYTES) continue
        yield { rows: slice, bytes: reader.takeBytes() }
        slice = []
      }
      if (slice.length > 0) yield { rows: slice, bytes: reader.takeBytes() }
      if (!reader.again) return
    } finally {
      rows.return?.()
      open.delete(rows)
    }
  }
}

/** Converts the results of one statement to rows. */
export class SqliteRowReader {
  /** True if `ReadMode` has changed for a value: the statement must then be prepared again. */
  again = false
  bytes = 0
  readonly #connection: Database.Database
  readonly #scan: SqliteScan
  readonly #readMode: ReadMode
  readonly #readers: readonly CellReader[]
  /** Columns of floating point numbers: these are never read as integers, however large they are. */
  readonly #floats: readonly boolean[]
  /** Position of a text's bytes in a row; 0 if they are not read. */
  readonly #bytesAt: readonly number[]
  readonly #decode: Decode
  /** True for the key columns, by whose values rows are found. */
  readonly #inKey: readonly boolean[]

  constructor(connection: Database.Database, scan: SqliteScan, care: ReadMode) {
    this.#connection = connection
    this.#scan = scan
    this.#readMode = care
    this.#readers = scan.columns.map(sqliteCellReader)
    this.#floats = scan.columns.map(
      ({ column: { type, native } }) =>
        (type.kind === 'float' || type.kind === 'decimal') && affinityOf(native) === 'real',
    )
    this.#inKey = scan.columns.map(({ name }) => scan.table.key.includes(name))
    let next = scan.columns.length
    this.#bytesAt = scan.columns.map(({ column, as }) =>
      care.bytes && (holdsText(column.type) || holdsText(as)) ? next++ : 0,
    )
    this.#decode = care.bytes ? decoderOf(connection) : () => null
  }

  statement(from: number): Database.Statement {
    const { table, columns, condition, order, from: source = quote(table.table.name) } = this.#scan
    const wanted = columns.map(({ name }) => quote(name))
    for (const [i, { name }] of columns.entries()) {
      if (this.#bytesAt[i] !== 0)
        wanted.push(`CASE typeof(${quote(name)}) WHEN 'text' THEN CAST(${quote(name)} AS BLOB) END`)
    }
    const sql =
      `SELECT ${wanted.length === 0 ? '1' : wanted.join(', ')} FROM ${source} WHERE ${condition.sql}` +
      `${order === '' ? '' : ` ORDER BY ${order}`}${from === 0 ? '' : ` LIMIT -1 OFFSET ${from}`}`
    return this.#connection.prepare(sql).raw(true).safeIntegers(this.#readMode.wide)
  }

  takeBytes(): number {
    const { bytes } = this
    this.bytes = 0
    return bytes
  }

  row(stored: readonly Stored[], at: number): Row | 'again' | 'aside' {
    const width = this.#readers.length
    const row = new Array<Cell>(width)
    let bytes = 0
    for (let i = 0; i < width; i++) {
      try {
        for (; i < width; i++) {
          const value = stored[i] as Stored
          if (value === null) {
            row[i] = null
            continue
          }
          if (this.#needsOtherMode(value, i)) {
            this.again = true
            return 'again'
          }
          if (this.#readMode.bytes && typeof value === 'string') this.#compare(value, stored, i)
          const cell = (this.#readers[i] as CellReader)(value)
          row[i] = cell
          bytes += typeof cell === 'string' ? cell.length : typeof cell === 'number' ? 8 : cell.byteLength
        }
      } catch (error) {
        const { odd, instead } = this.#scan
        // The error shows the later values of the row, and its key may include them: they need the right mode, too.
        if (stored.slice(i + 1, width).some((value, behind) => this.#needsOtherMode(value, i + 1 + behind))) {
          this.again = true
          return 'again'
        }
        if (instead !== undefined && isRefusedValue(error)) {
          row[i] = instead(shownValue(this.#asBytes(stored, i)) ?? '')
          continue
        }
        if (odd === undefined || this.#inKey[i] === true || !isRefusedValue(error))
          return this.#refuse(error, stored, i, at)
        odd.add(row)
        row[i] = storedCell(this.#asBytes(stored, i))
      }
    }
    this.bytes += bytes
    return row
  }

  #needsOtherMode(value: Stored, i: number): boolean {
    if (typeof value === 'number') {
      if (this.#readMode.wide || this.#floats[i] === true || Number.isSafeInteger(value) || !Number.isInteger(value))
        return false
      this.#readMode.wide = true
      return true
    }
    if (typeof value !== 'string' || this.#readMode.bytes || !value.includes('\ufffd')) return false
    this.#readMode.bytes = true
    return true
  }

  /** The value as stored. For a text that is not valid UTF-8: its bytes. */
  #asBytes(stored: readonly Stored[], i: number): Stored {
    const [value = null, bytes] = [stored[i], stored[this.#bytesAt[i] ?? 0]]
    if (typeof value !== 'string' || this.#bytesAt[i] === 0 || !(bytes instanceof Uint8Array)) return value
    return this.#decode(bytes) === value ? value : bytes
  }

  #compare(text: string, stored: readonly Stored[], i: number): void {
    const place = this.#bytesAt[i] ?? 0
    const bytes = stored[place]
    if (place === 0 || !(bytes instanceof Uint8Array)) return
    if (this.#decode(bytes) !== text) {
      throw new SluiceError('VALUE_REFUSED', 'this text is not valid UTF-8', {
        hint: 'correct the value at the source, or give the column the type BLOB',
      })
    }
  }

  /** Adds the row to the error, and quarantines the row if `onRefused` is given. Throws the error otherwise. */
  #refuse(error: unknown, stored: readonly Stored[], i: number, at: number): 'aside' {
    if (!isRefusedValue(error)) throw error
    const { table, columns, onRefused, odd } = this.#scan
    const column = columns[i]
    const where = `${table.table.name}.${column?.name ?? ''}, row ${this.#keyOf(stored, at)}`
    const named = valueError(odd !== undefined, `${where}: ${error.message}`, {
      where,
      reason: `the column is declared ${column?.column.native === '' ? 'without a type, and its first rows hold another type' : `as ${column?.column.native ?? ''}`}`,
      cause: error,
    })
    if (onRefused === undefined) throw named
    onRefused(
      columns.map((_, place) => shownValue(this.#asBytes(stored, place))),
      named,
    )
    return 'aside'
  }

  #keyOf(stored: readonly Stored[], at: number): string {
    const { table, columns, condition, order } = this.#scan
    const places = table.key.map((name) => columns.findIndex((one) => one.name === name))
    if (places.length > 0 && !places.includes(-1)) return shownSqliteKey(places.map((place) => stored[place] ?? null))
    if (order === '') return `number ${at + 1}`
    const row = this.#connection
      .prepare(
        `SELECT ${order} FROM ${quote(table.table.name)} WHERE ${condition.sql} ORDER BY ${order} LIMIT 1 OFFSET ${at}`,
      )
      .raw(true)
      .safeIntegers(true)
      .get(...condition.parameters) as readonly Stored[] | undefined
    return `${order} = ${row === undefined ? '' : shownSqliteKey(row)}`
  }
}

/** Decodes a text's bytes; null if they are invalid. The driver silently replaces invalid bytes by U+FFFD. */
function decoderOf(connection: Database.Database): Decode {
  // The driver's own pragma() is not used, because it refuses to run during an iteration.
  const encoding = String(connection.prepare('SELECT encoding FROM pragma_encoding').pluck().get()).toLowerCase()
  const decoder = new TextDecoder(encoding, { fatal: true, ignoreBOM: true })
  return (bytes) => {
    try {
      return decoder.decode(bytes)
    } catch {
      return null
    }
  }
}

function needsClasses({ column: { type, native }, as, exact }: ScanColumn): boolean {
  return type.kind === 'native' || as.kind === 'native' || (exact === true && affinityOf(native, true) === 'any')
}

function holdsText({ kind }: ColumnType): boolean {
  return kind === 'text' || kind === 'json' || kind === 'native' || kind === 'list'
}
