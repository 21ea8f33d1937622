/**
 * Rows of one running statement, with back pressure: the connection pauses while more than a few pages wait for their
 * reader. The protocol allows no second statement before the last row has arrived. If a second one is needed, as in a
 * transaction that queries while it iterates, `keepRest` buffers the remaining rows in memory. Otherwise the caller
 * would wait for itself. The catalog's own reads never need this.
 */
import type { FieldPacket } from 'mysql2'
import type { SqlRow, SqlValue } from '../../model/run/sql-port.ts'
import { decimalType, type DeclaredType } from '../../model/run/answer-file.ts'
import { portRowReader, type MysqlRowReader } from './values.ts'

/** Rows that may wait before the connection pauses. */
const MOST_WAITING = 2_000

/** The driver's running statement: an emitter of `fields`, `result`, `error` and `end`. */
type Running = { on(event: string, listener: (...words: never[]) => void): unknown }

type Line = {
  pause(): void
  resume(): void
  /** Maps an error to a SluiceError. */
  named(error: unknown): unknown
}

const UNSIGNED = 32
const NEWDECIMAL = 246
/** Declared types by type number of the protocol; integers are signed. TINYINT(1) is no boolean: it can hold 2. */
const BY_NUMBER: Readonly<Record<number, DeclaredType>> = {
  1: 'int16',
  2: 'int16',
  3: 'int32',
  4: 'double',
  5: 'double',
  7: 'timestamptz',
  8: 'int64',
  9: 'int32',
  10: 'date',
  11: 'time',
  12: 'datetime',
  13: 'int16',
  245: 'text',
  252: 'text',
  253: 'text',
  254: 'text',
}
const WITHOUT_SIGN: Readonly<Record<number, DeclaredType | undefined>> = { 2: 'int32', 3: 'int64', 8: undefined }

export class RowStream {
  /** Names of the columns, known with the first rows. */
  names: readonly string[] = []
  /** Type numbers of the protocol, known with the first rows. */
  types: readonly (number | undefined)[] = []
  /** Declared types of the columns, known with the first rows. */
  declared: readonly (DeclaredType | undefined)[] = []
  readonly #line: Line
  #read: MysqlRowReader = (row) => row
  #rows: SqlRow[] = []
  /** Bytes of each waiting row, and of all of them; counted only if limited. */
  #sizes: number[] = []
  #bytes = 0
  #mostBytes: number
  #most = MOST_WAITING
  #wanted = 1
  #paused = false
  #discarding = false
  #done = false
  #error: unknown = null
  #wake: (() => void) | null = null
  #finish: () => void = () => undefined
  /** Resolves when the statement is over, failed or not. */
  readonly ended: Promise<void>

  /** @param mostBytes that may wait for their reader; `take` returns at most this many, or a single larger row */
  constructor(running: Running, line: Line, mostBytes = Infinity) {
    this.#line = line
    this.#mostBytes = mostBytes
    this.ended = new Promise((resolve) => (this.#finish = resolve))
    running.on('fields', (fields: readonly FieldPacket[] | undefined) => {
      if (fields === undefined) return
      this.#read = portRowReader(fields)
      this.names = fields.map(({ name }) => name)
      this.types = fields.map(({ columnType }) => columnType)
      this.declared = fields.map(declaredIn)
    })
    running.on('result', (row: unknown) => {
      if (Array.isArray(row)) this.#add(row)
    })
    running.on('error', (error: unknown) => this.fail(error))
    running.on('end', () => this.#end())
  }

  /** True while the stream waits for the server; a slow consumer pauses it, which is no fault of the connection. */
  get isWaiting(): boolean {
    return !this.#done && !this.#paused
  }

  get isDone(): boolean {
    return this.#done
  }

  /** The next rows, at most `most`; empty at the end. @throws the error of the server or the connection */
  async take(most: number): Promise<readonly SqlRow[]> {
    this.#most = Math.max(MOST_WAITING, most * 2)
    this.#wanted = most
    while (this.#rows.length < most && this.#bytes < this.#mostBytes && !this.#done) {
      this.#resume()
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
    // An error ends the statement early: the rows before it are not the whole result.
    if (this.#error !== null) throw this.#line.named(this.#error)
    const page = this.#rows.splice(0, this.#fitting(most))
    if (this.#rows.length < this.#most / 2 && this.#bytes < this.#mostBytes) this.#resume()
    return page
  }

  /** Reads the statement to its end; its rows wait in memory for their reader. */
  async keepRest(): Promise<void> {
    this.#most = Infinity
    this.#mostBytes = Infinity
    this.#resume()
    await this.ended
  }

  /** Discards all further rows; the statement runs to its end, and `ended` resolves then. */
  discard(): void {
    this.#discarding = true
    this.#rows = []
    this.#sizes = []
    this.#bytes = 0
    this.#resume()
  }

  /** Ends the stream with an error; later errors are ignored. */
  fail(error: unknown): void {
    if (!this.#done) this.#error ??= error
    this.#end()
  }

  #add(row: SqlValue[]): void {
    if (this.#discarding || this.#done) return
    const read = this.#read(row)
    this.#rows.push(read)
    if (this.#mostBytes !== Infinity) this.#weigh(read)
    const enough = this.#bytes >= this.#mostBytes
    if ((enough || this.#rows.length >= this.#most) && !this.#paused) {
      this.#paused = true
      this.#line.pause()
    }
    if (enough || this.#rows.length >= this.#wanted) this.#wakeReader()
  }

  #weigh(row: SqlRow): void {
    const bytes = mysqlRowBytes(row)
    this.#sizes.push(bytes)
    this.#bytes += bytes
  }

  /** How many of the waiting rows fit into a page of at most `most` rows. */
  #fitting(most: number): number {
    if (this.#sizes.length === 0) return most
    let rows = 0
    let bytes = 0
    for (; rows < Math.min(most, this.#sizes.length); rows++) {
      bytes += this.#sizes[rows] ?? 0
      if (bytes > this.#mostBytes && rows > 0) {
        bytes -= this.#sizes[rows] ?? 0
        break
      }
    }
    this.#sizes.splice(0, rows)
    this.#bytes -= bytes
    return rows
  }

  #resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#line.resume()
  }

  #end(): void {
    if (this.#done) return
    this.#done = true
    this.#resume()
    this.#wakeReader()
    this.#finish()
  }

  #wakeReader(): void {
    const wake = this.#wake
    this.#wake = null
    wake?.()
  }
}

/** Declared type of a column of a query, if answer files have such a type. */
function declaredIn(field: FieldPacket): DeclaredType | undefined {
  const { columnType, decimals, columnLength, flags, extendedTypeName } = field
  if (columnType === undefined) return undefined
  if (extendedTypeName === 'uuid') return 'uuid'
  const isUnsigned = typeof flags === 'number' && (flags & UNSIGNED) !== 0
  if (columnType === NEWDECIMAL) {
    // `columnLength` counts the characters of the text: digits, a sign and a point.
    const digits = (columnLength ?? 0) - (isUnsigned ? 0 : 1) - (decimals > 0 ? 1 : 0)
    return decimalType(digits, decimals)
  }
  return isUnsigned && columnType in WITHOUT_SIGN ? WITHOUT_SIGN[columnType] : BY_NUMBER[columnType]
}

/** Approximate bytes of a row in memory and on the wire. */
export function mysqlRowBytes(row: SqlRow): number {
  let bytes = 0
  for (const value of row) {
    if (typeof value === 'string') bytes += value.length
    else if (value instanceof Uint8Array) bytes += value.byteLength
    else bytes += 8
  }
  return bytes
}
