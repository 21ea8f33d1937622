/** Statements for a row: one INSERT, and an UPDATE for the values of each further pair of write time and TTL. */
import { tableText } from '../../../model/copy/column-type.ts'
import type { Cell, Row, WriteTimes } from '../../../model/copy/rows.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { longBytes } from '../long-bytes.ts'
import type { WriteColumn } from '../../../model/copy/write-column.ts'
import { cassandraEncoder } from './encode.ts'
import { keyLimitError } from './key-limits.ts'
import type { CassandraShapeColumn, CassandraShape } from './shape.ts'
import { byExpiry, type ChunkWriteTimes, type TimeAndTtl } from './write-times.ts'
import type { CassandraStatements, UsingClause } from './statements.ts'

export type Parameters = readonly (Buffer | null)[]

export type Write = {
  readonly sql: string
  readonly parameters: Parameters
  /**
   * Index of the parameter with the write time. Set if a repeated write needs a later time: with an equal time, list
   * elements would be stored twice.
   */
  readonly timeAt?: number
  /** Index of the parameter with the TTL in seconds, and the second since 1970 at which it ends. */
  readonly lifetimes?: { readonly at: number; readonly until: number }
}

/** A row in the encoding of the cluster. */
export type Encoded = {
  readonly row: Row
  readonly cells: Parameters
  readonly stamp: WriteTimes | undefined
  readonly bytes: number
  /** True if the row has no clustering key: its values are the static columns of a partition without rows. */
  readonly staticOnly: boolean
}

/** A statement and the positions of its values. `isWhole`: false if it has only the key's columns. */
type InsertForm = { readonly sql: string; readonly all: readonly number[]; readonly isWhole: boolean }

/**
 * Collections that are not written with their own write time and TTL, by position: left as they are, or written with
 * another time.
 */
export type Collections = ReadonlyMap<number, 'leave' | bigint>

export class RowWrites {
  readonly #shape: CassandraShape
  readonly #columns: readonly WriteColumn[]
  readonly #statements: CassandraStatements
  readonly #stamping: ChunkWriteTimes
  readonly #keepNulls: boolean
  readonly #encoders: readonly ((cell: Cell) => Buffer | null)[]
  readonly #parts: readonly CassandraShapeColumn['part'][]
  readonly #partition: readonly number[]
  readonly #clustering: readonly number[]
  /** Positions of columns whose values are many cells. */
  readonly collections: readonly number[]
  readonly #lists: ReadonlySet<number>
  readonly #statics: readonly number[]
  readonly #regulars: readonly number[]
  readonly #inserts = new Map<string, InsertForm>()

  /** @param keepNulls true if NULL is written too, which removes the value of the target */
  constructor(
    shape: CassandraShape,
    columns: readonly WriteColumn[],
    statements: CassandraStatements,
    stamping: ChunkWriteTimes,
    keepNulls: boolean,
  ) {
    this.#shape = shape
    this.#columns = columns
    this.#statements = statements
    this.#stamping = stamping
    this.#keepNulls = keepNulls
    const known = columns.map((column) => columnOf(shape, column))
    this.#encoders = known.map(({ type }, at) => cassandraEncoder(type, columns[at]?.as ?? { kind: 'text' }))
    this.#parts = known.map(({ part }) => part)
    const position = (name: string): number => columns.findIndex((column) => column.name === name)
    this.#partition = shape.partition.map(position)
    this.#clustering = shape.clustering.map(position)
    const missing = [...shape.partition, ...shape.clustering].filter((name) => position(name) < 0)
    if (missing.length > 0) throw keyMissing(shape, missing)
    const where = (wanted: (column: CassandraShapeColumn) => boolean): number[] =>
      known.flatMap((column, at) => (wanted(column) ? [at] : []))
    this.collections = where(({ manyCells }) => manyCells)
    this.#lists = new Set(where(({ manyCells, isList }) => manyCells && isList))
    this.#statics = where(({ part, manyCells }) => part === 'static' && !manyCells)
    this.#regulars = where(({ part, manyCells }) => part === 'regular' && !manyCells)
  }

  /** @throws SluiceError ROW_REFUSED, VALUE_REFUSED */
  encode(row: Row, stamp: WriteTimes | undefined): Encoded {
    let bytes = 0
    const cells = this.#encoders.map((encode, at) => {
      const cell = row[at] ?? null
      const value = cell === null ? null : encode(cell)
      bytes += value === null ? 0 : value.length
      return value
    })
    const staticOnly = this.#checkKey(cells)
    return { row, cells, stamp, bytes, staticOnly }
  }

  /** Values of the key; only of the partition key if the row has only static values. */
  key({ cells, staticOnly }: Encoded): Parameters {
    const partition = this.#partition.map((at) => cells[at] ?? null)
    return staticOnly ? partition : [...partition, ...this.#clustering.map((at) => cells[at] ?? null)]
  }

  keyNames({ staticOnly }: { readonly staticOnly: boolean }): readonly string[] {
    return staticOnly ? this.#shape.partition : [...this.#shape.partition, ...this.#shape.clustering]
  }

  /** The partition key as one text. */
  partitionText({ cells }: Encoded): string {
    const [only = 0] = this.#partition
    if (this.#partition.length === 1) return cells[only]?.toString('latin1') ?? ''
    return JSON.stringify(this.#partition.map((at) => cells[at]?.toString('latin1') ?? null))
  }

  get hasStatics(): boolean {
    return this.#parts.includes('static')
  }

  /** The row without its static values. */
  withoutStatics(row: Encoded): Encoded {
    return { ...row, cells: row.cells.map((cell, at) => (this.#parts[at] === 'static' ? null : cell)) }
  }

  /** Static values as one text, with write times and expiry times. */
  staticsText({ cells, stamp }: Encoded): string {
    const ends = (life: number | null | undefined): string =>
      life == null ? '' : String(Math.floor((stamp?.readMs ?? 0) / 1000) + life)
    return JSON.stringify(
      this.#parts.flatMap((part, at) =>
        part === 'static'
          ? [cells[at]?.toString('latin1') ?? null, String(stamp?.times[at] ?? ''), ends(stamp?.lifetimes[at])]
          : [],
      ),
    )
  }

  /**
   * @param statics true if the partition's static values are written with the row
   * @param collections collections that are not written with their own write time and TTL, by position
   */
  writes(encoded: Encoded, statics: boolean, collections: Collections | null = null): readonly Write[] {
    const { cells, stamp, staticOnly } = encoded
    const writes: Write[] = []
    if (!staticOnly) {
      const [here, absent] = this.#split(cells, this.#regulars)
      const isBare = cells.every((cell, at) => cell === null || this.#parts[at] !== 'regular')
      const { groups, whole } = this.#stamping.of(stamp, here, absent, isBare)
      const [first] = groups
      const longest = this.#longestCollection(encoded)
      // The key gets the longest TTL of all values, so that it expires with the last of them.
      const isOwn = first !== undefined && (longest === null || byExpiry(longest, first.using) <= 0)
      this.#insert(writes, cells, isOwn ? first.using : (longest ?? whole), isOwn ? first.at : [])
      for (const { using, at } of isOwn ? groups.slice(1) : groups) this.#update(writes, encoded, using, at)
    }
    if (statics && this.#statics.length > 0) {
      const [here, absent] = this.#split(cells, this.#statics)
      for (const { using, at } of this.#stamping.of(stamp, here, absent).groups) {
        this.#update(writes, encoded, using, at)
      }
    }
    if (this.collections.length > 0) this.#collections(writes, encoded, statics, collections)
    return writes
  }

  /** An INSERT that does nothing if the key exists; null if it could not write the whole row. */
  ifAbsent({ cells, staticOnly }: Encoded): Write | null {
    if (staticOnly) return null
    const at = [...this.#partition, ...this.#clustering]
    for (const [position, cell] of cells.entries()) {
      const part = this.#parts[position]
      if (cell === null || part === 'partition' || part === 'clustering') continue
      if (part === 'static') return null
      at.push(position)
    }
    const names = this.#names(at)
    if (!this.#statements.takes(names, null)) return null
    return { sql: this.#statements.insert(names, null), parameters: at.map((one) => cells[one] ?? null) }
  }

  #insert(writes: Write[], cells: Parameters, using: TimeAndTtl, at: readonly number[]): void {
    const form = this.#insertForm(at, clauseOf(using))
    const parameters: (Buffer | null)[] = form.all.map((one) => cells[one] ?? null)
    parameters.push(...usingParameters(using))
    writes.push({ sql: form.sql, parameters, ...lifetimesOf(using, parameters.length - 1) })
    if (!form.isWhole) for (const one of at) this.#updateOne(writes, cells, using, [one], form.all)
  }

  /** The INSERT for a set of columns. If there are too many different sets, the INSERT for the key alone. */
  #insertForm(at: readonly number[], how: UsingClause): InsertForm {
    const name = `${how} ${at.join()}`
    const known = this.#inserts.get(name)
    if (known !== undefined) return known
    const key = [...this.#partition, ...this.#clustering]
    const isWhole = this.#statements.takes(this.#names([...key, ...at]), how)
    const all = isWhole ? [...key, ...at] : key
    const form = { sql: this.#statements.insert(this.#names(all), how), all, isWhole }
    if (isWhole) this.#inserts.set(name, form)
    return form
  }

  #update(writes: Write[], { cells, staticOnly }: Encoded, using: TimeAndTtl, at: readonly number[]): void {
    const isStatic = staticOnly || at.every((one) => this.#parts[one] === 'static')
    const key = isStatic ? this.#partition : [...this.#partition, ...this.#clustering]
    // There could be too many different sets of columns, so fall back to one statement per column.
    const sets = this.#statements.takesUpdate(this.#names(at), clauseOf(using)) ? [at] : at.map((one) => [one])
    for (const set of sets) this.#updateOne(writes, cells, using, set, key)
  }

  #updateOne(
    writes: Write[],
    cells: Parameters,
    using: TimeAndTtl,
    at: readonly number[],
    key: readonly number[],
  ): void {
    const how = clauseOf(using)
    const sql = this.#statements.update(this.#names(at), this.#names(key), how)
    const values = [...at, ...key].map((one) => cells[one] ?? null)
    const isList = at.some((one) => this.#lists.has(one))
    const parameters = [...usingParameters(using), ...values]
    writes.push({
      sql,
      parameters,
      ...(isList && using.time !== null ? { timeAt: 0 } : {}),
      ...lifetimesOf(using, using.time === null ? 0 : 1),
    })
  }

  #collections(writes: Write[], encoded: Encoded, statics: boolean, other: Collections | null): void {
    const { cells } = encoded
    for (const at of this.collections) {
      const isStatic = this.#parts[at] === 'static'
      if (isStatic ? !statics : encoded.staticOnly) continue
      const change = other?.get(at)
      if (change === 'leave' || ((cells[at] ?? null) === null && !this.#keepNulls)) continue
      const using = this.usingOf(encoded, at)
      this.#update(writes, encoded, change === undefined ? using : { ...using, time: change }, [at])
    }
  }

  /** The longest TTL, with its write time, of non-static collections whose write times are known. */
  #longestCollection(encoded: Encoded): TimeAndTtl | null {
    let longest: TimeAndTtl | null = null
    for (const at of this.collections) {
      const isReported = encoded.cells[at] != null && encoded.stamp?.times[at] != null
      if (!isReported || this.#parts[at] === 'static') continue
      const using = this.usingOf(encoded, at)
      if (longest === null || byExpiry(using, longest) > 0) longest = using
    }
    return longest
  }

  /** Write time and TTL of a column's value. */
  usingOf({ stamp }: Encoded, at: number): TimeAndTtl {
    const { groups, whole } = this.#stamping.of(stamp, [at])
    return groups[0]?.using ?? whole
  }

  #split(cells: Parameters, at: readonly number[]): readonly [here: readonly number[], absent: readonly number[]] {
    const here = at.every((one) => (cells[one] ?? null) !== null)
      ? at
      : at.filter((one) => (cells[one] ?? null) !== null)
    return [here, this.#keepNulls && here.length < at.length ? at.filter((one) => (cells[one] ?? null) === null) : []]
  }

  #names(at: readonly number[]): readonly string[] {
    return at.map((one) => this.#columns[one]?.name ?? '')
  }

  /** @returns true for a partition without rows: only its static values are written */
  #checkKey(cells: Parameters): boolean {
    const isNull = (at: number): boolean => (cells[at] ?? null) === null
    const none = this.#partition.find(isNull)
    if (none !== undefined) throw this.#refused(none, 'NULL cannot be part of a partition key')
    for (const part of ['partition', 'clustering'] as const) {
      const at = part === 'partition' ? this.#partition : this.#clustering
      const values = at.map((one) => cells[one] ?? null)
      const reason = keyLimitError(part, values)
      if (reason !== null) throw this.#refused(at[0] ?? 0, reason)
    }
    const absent = this.#clustering.filter(isNull)
    const [first] = absent
    if (first === undefined) return false
    const others = this.#parts.some((part, at) => part === 'regular' && !isNull(at))
    const has = this.#parts.some((part, at) => part === 'static' && !isNull(at))
    if (absent.length < this.#clustering.length || others || !has)
      throw this.#refused(first, 'NULL cannot be part of a clustering key')
    return true
  }

  #refused(at: number, reason: string): SluiceError {
    return new SluiceError('ROW_REFUSED', `Cassandra cannot store the row: ${reason}`, {
      where: `${tableText(this.#shape.table)}.${this.#columns[at]?.name ?? ''}`,
    })
  }
}

/** @param at index of the TTL parameter */
function lifetimesOf({ life, sinceMs }: TimeAndTtl, at: number): Pick<Write, 'lifetimes'> {
  if (life === null || life === 0 || sinceMs === undefined) return {}
  return { lifetimes: { at, until: Math.floor(sinceMs / 1000) + life } }
}

function clauseOf({ time, life }: TimeAndTtl): UsingClause {
  if (time === null) return life === null ? 'nothing' : 'life'
  return life === null ? 'time' : 'time and life'
}

function usingParameters({ time, life }: TimeAndTtl): readonly Buffer[] {
  const at = time === null ? [] : [longBytes(time)]
  if (life === null) return at
  const seconds = Buffer.allocUnsafe(4)
  seconds.writeInt32BE(life)
  return [...at, seconds]
}

function columnOf({ columns, table }: CassandraShape, { name }: WriteColumn): CassandraShapeColumn {
  const found = columns.get(name)
  if (found !== undefined) return found
  throw new SluiceError('TABLE_REFUSED', `${tableText(table)} has no column ${name}`, {
    hint: 'run the same command again: the table may have changed since',
  })
}

function keyMissing({ table }: CassandraShape, missing: readonly string[]): SluiceError {
  return new SluiceError('TABLE_REFUSED', `the copy has no values for ${missing.join(', ')} of ${tableText(table)}`, {
    reason: 'every row of a Cassandra table needs its whole primary key',
    hint: 'copy a column into each of them with --columns or --rename',
  })
}
