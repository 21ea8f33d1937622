/**
 * Rows of one running statement, with back pressure: the connection rests while more than a few pages wait for their reader. The protocol
 * allows no second statement before the last row is there. Where one comes all the same, as inside a transaction that asks while it
 * iterates, `keepRest` takes what is left into memory, so that nobody waits for himself; the catalog's own reads never do so.
 */
import type { FieldPacket } from 'mysql2'
import type { SqlRow, SqlValue } from '../../model/run/sql-port.ts'
import { decimalType, type DeclaredType } from '../../model/run/answer-file.ts'
import { rowReader, type RowReader } from './values.ts'

/** Rows that may wait before the connection rests. */
const MOST_WAITING = 2_000

/** The driver's running statement: an emitter of `fields`, `result`, `error` and `end`. */
type Running = { on(event: string, listener: (...words: never[]) => void): unknown }

type Line = {
  pause(): void
  resume(): void
  /** The error under the name that callers know. */
  named(error: unknown): unknown
}

const UNSIGNED = 32
const NEWDECIMAL = 246
/** By the numbers of the protocol; of whole numbers those with a sign. TINYINT(1) is no boolean: it holds 2 as well. */
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
  /** The protocol's numbers of their types, known with them. */
  types: readonly (number | undefined)[] = []
  /** What else of them others have too, known with them. */
  declared: readonly (DeclaredType | undefined)[] = []
  readonly #line: Line
  #read: RowReader = (row) => row
  #rows: SqlRow[] = []
  /** Bytes of each waiting row, and of all of them; counted only where they are bounded. */
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
  /** Resolves when the statement is over, well or not. */
  readonly ended: Promise<void>

  /** @param mostBytes that may wait for their reader, and that `take` gives at once unless one row is larger */
  constructor(running: Running, line: Line, mostBytes = Infinity) {
    this.#line = line
    this.#mostBytes = mostBytes
    this.ended = new Promise((resolve) => (this.#finish = resolve))
    running.on('fields', (fields: readonly FieldPacket[] | undefined) => {
      if (fields === undefined) return
      this.#read = rowReader(fields)
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

  /** Whether somebody waits for the server: a consumer that takes its time is no fault of the line. */
  get isWaiting(): boolean {
    return !this.#done && !this.#paused
  }

  get isDone(): boolean {
    return this.#done
  }

  /** The next rows, at most so many; empty at the end. @throws what the server or the line said */
  async take(most: number): Promise<readonly SqlRow[]> {
    this.#most = Math.max(MOST_WAITING, most * 2)
    this.#wanted = most
    while (this.#rows.length < most && this.#bytes < this.#mostBytes && !this.#done) {
      this.#resume()
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
    // An error ends the statement early: what came before it is no whole answer.
    if (this.#error !== null) throw this.#line.named(this.#error)
    const page = this.#rows.splice(0, this.#fitting(most))
    if (this.#rows.length < this.#most / 2 && this.#bytes < this.#mostBytes) this.#resume()
    return page
  }

  /** Lets the statement run to its end; rows wait in memory for their reader. */
  async keepRest(): Promise<void> {
    this.#most = Infinity
    this.#mostBytes = Infinity
    this.#resume()
    await this.ended
  }

  /** Nobody wants the rows any more; the statement goes on to its end, and `ended` tells when it is there. */
  discard(): void {
    this.#discarding = true
    this.#rows = []
    this.#sizes = []
    this.#bytes = 0
    this.#resume()
  }

  /** Ends the stream with an error; the first one counts. */
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
    const bytes = bytesOf(row)
    this.#sizes.push(bytes)
    this.#bytes += bytes
  }

  /** How many of the waiting rows go into a page of at most so many. */
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

/** Types of columns of a query that files with types have too. */
function declaredIn(field: FieldPacket): DeclaredType | undefined {
  const { columnType, decimals, columnLength, flags, extendedTypeName } = field
  if (columnType === undefined) return undefined
  if (extendedTypeName === 'uuid') return 'uuid'
  const isUnsigned = typeof flags === 'number' && (flags & UNSIGNED) !== 0
  if (columnType === NEWDECIMAL) {
    // The length is that of the text: digits, a sign and a point.
    const digits = (columnLength ?? 0) - (isUnsigned ? 0 : 1) - (decimals > 0 ? 1 : 0)
    return decimalType(digits, decimals)
  }
  return isUnsigned && columnType in WITHOUT_SIGN ? WITHOUT_SIGN[columnType] : BY_NUMBER[columnType]
}

/** About as many as it takes in memory and on the line. */
export function bytesOf(row: SqlRow): number {
  let bytes = 0
  for (const value of row) {
    if (typeof value === 'string') bytes += value.length
    else if (value instanceof Uint8Array) bytes += value.byteLength
    else bytes += 8
  }
  return bytes
}
