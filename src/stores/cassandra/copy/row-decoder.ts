/** Decodes rows of the driver to canonical rows: one decoder per column, made once for a range. */
import { tableText, type ColumnType } from '../../../model/copy/column-type.ts'
import { canonicalCellText } from '../../../model/copy/canonical.ts'
import type { Cell, Row, WriteTimes } from '../../../model/copy/rows.ts'
import { asSluiceError, SluiceError } from '../../../shared/errors.ts'
import { quotedName } from '../../../shared/sql-text.ts'
import { isRefusedValue, type MistypedRows } from '../../common/as-stored.ts'
import type { RowRequest } from '../../../model/copy/source-port.ts'
import type { CassandraLink } from '../connect.ts'
import { cassandraDecoder } from './decode.ts'
import { driverText } from './key-text.ts'
import type { DriverRow } from './pages.ts'
import type { SharedColumns } from './seams.ts'
import { nameInRow, selectedCqlColumn } from './selected.ts'
import { hasStatics } from './shared-only.ts'
import { cassandraTableShape, type CassandraShape } from './shape.ts'
import { NO_TIME, timeOfCells } from './time-of-cells.ts'
import { columnTypeOf, isBefore, type CqlType } from './types.ts'

type Part = { readonly name: string; readonly decode: (value: unknown) => Cell }

/** Names, in a row of the driver, of a value, its write time and its TTL; null if the system keeps no write times. */
type TimeNames = {
  readonly value: string
  readonly time: string
  readonly life: string
} | null

export class RowDecoder {
  /** The columns that a statement has to read. */
  readonly what: string
  /** The static columns among them; null if there are none. */
  readonly shared: SharedColumns | null
  readonly #request: RowRequest
  readonly #shape: CassandraShape
  readonly #parts: readonly Part[]
  readonly #stamps: readonly TimeNames[]
  /** The first clustering column; null if a partition is one row. */
  readonly #clustering: string | null

  /**
   * @param more columns that are read in addition to the request's, and are not part of its rows
   * @throws SluiceError SOURCE_GONE if a column no longer exists
   */
  static async of(link: CassandraLink, request: RowRequest, more: readonly string[] = []): Promise<RowDecoder> {
    return new RowDecoder(
      request,
      await cassandraTableShape(link, request.table.table),
      more,
      !isBefore(link.release, 5, 0),
    )
  }

  /** @param ofCells true if the server returns the write times of all cells of a collection */
  private constructor(request: RowRequest, shape: CassandraShape, more: readonly string[], ofCells: boolean) {
    this.#request = request
    this.#shape = shape
    this.#parts = request.columns.map(({ name, as }) => ({
      name,
      decode: cassandraDecoder(this.typeOf(name).type, as),
    }))
    this.#stamps = request.columns.map(({ name }, at) =>
      request.stamps === true ? timeNamesOf(shape, name, at, ofCells) : null,
    )
    this.#clustering = shape.clustering.length === 0 ? null : (shape.clustering[0] ?? null)
    const names = new Set([
      ...request.columns.map(({ name }) => name),
      ...shape.partition,
      ...shape.clustering,
      ...more,
    ])
    this.what = [...[...names].map(selectedCqlColumn), ...this.#stamps.flatMap(timesOf)].join(', ')
    this.shared = sharedOf(shape, names, this.#stamps)
  }

  /** CQL and canonical type of a column. */
  typeOf(name: string): { readonly type: CqlType; readonly as: ColumnType } {
    const column = this.#shape.columns.get(name)
    if (column !== undefined) return { type: column.type, as: columnTypeOf(column.type) }
    const table = tableText(this.#request.table.table)
    throw new SluiceError('SOURCE_GONE', `${table} has changed since it was planned`, {
      where: table,
      reason: `it no longer has ${name}`,
      hint: 'run the same command again',
    })
  }

  /**
   * @param mistyped receives rows with a value that does not fit its column's type (`RowRequest.asStored`)
   * @throws SluiceError VALUE_REFUSED for a value that does not fit its column's type, and for a partition without rows
   */
  row(found: DriverRow, mistyped: MistypedRows): Row {
    const { stamps, sharedOnly, asStored, table } = this.#request
    if (stamps !== true && sharedOnly !== true && this.isSharedOnly(found)) throw this.#noRow(found)
    const row: Cell[] = []
    for (const { name, decode } of this.#parts) {
      const value: unknown = found[nameInRow(name)]
      try {
        row.push(value == null ? null : decode(value))
      } catch (thrown) {
        const isKept = asStored === true && !table.key.includes(name) && isRefusedValue(thrown)
        if (!isKept) throw this.#ofValue(thrown, found, name)
        mistyped.add(row)
        row.push(value instanceof Uint8Array ? value : driverText(value))
      }
    }
    return row
  }

  /** True if the result row is not a row of the table, but the static values of a partition without rows. */
  isSharedOnly(found: DriverRow): boolean {
    return this.#clustering !== null && found[nameInRow(this.#clustering)] == null
  }

  /** True if the table can have partitions with static values only. */
  get mayShareOnly(): boolean {
    return hasStatics(this.#shape)
  }

  /** @param readMs when the row was requested */
  stamp(found: DriverRow, readMs: number): WriteTimes {
    const times: (bigint | null)[] = []
    const lifetimes: (number | null)[] = []
    const uneven: number[] = []
    for (const [at, part] of this.#stamps.entries()) {
      // An absent value has no write time, but some releases return 0 for it.
      const isThere = part !== null && found[nameInRow(part.value)] != null
      const { time, life, isUneven } = isThere ? timeOfCells(found[part.time], found[part.life]) : NO_TIME
      times.push(time)
      lifetimes.push(life)
      if (isUneven) uneven.push(at)
    }
    return { times, lifetimes, readMs, ...(uneven.length === 0 ? {} : { uneven }) }
  }

  /** A row as texts, even if its values cannot be decoded. */
  shown(found: DriverRow): readonly (string | null)[] {
    return this.#parts.map(({ name, decode }) => {
      const value: unknown = found[nameInRow(name)]
      return value == null ? null : shownBy(decode, value)
    })
  }

  /** As `shown`, for a row of which only the partition is known. */
  shownPartition(partition: readonly unknown[] | bigint): readonly (string | null)[] {
    return this.#parts.map(({ name, decode }) => {
      const at = this.#shape.partition.indexOf(name)
      // Without key values, the token identifies the partition.
      if (typeof partition === 'bigint') return at === 0 ? `token ${partition}` : null
      const value = partition[at]
      return value == null ? null : shownBy(decode, value)
    })
  }

  /**
   * False for a partition that has static values only. A NULL clustering column does not show this, because the driver
   * also returns an empty number as NULL.
   */
  #hasOwnValues(found: DriverRow): boolean {
    const isOwn = ({ name }: Part): boolean => this.#shape.columns.get(name)?.part === 'regular'
    return this.#parts.some((part) => isOwn(part) && (found[nameInRow(part.name)] ?? null) !== null)
  }

  #noRow(found: DriverRow): SluiceError {
    const partition = this.#shape.partition.map((name) => driverText(found[nameInRow(name)])).join(', ')
    if (this.#hasOwnValues(found)) {
      const message = `a row of the partition (${partition}) has an empty value in its key column ${this.#clustering}`
      return new SluiceError('VALUE_REFUSED', message, {
        where: tableText(this.#request.table.table),
        reason: 'the server accepts an empty value for every type: it is neither NULL nor a value of the type',
        hint: 'write the row under another key at the source',
        kind: 'source',
      })
    }
    return new SluiceError('VALUE_REFUSED', `the partition (${partition}) has static values, but no row`, {
      where: tableText(this.#request.table.table),
      reason: 'a row needs a complete key, and a part of its key is missing',
      hint: 'copy the table into Cassandra, or insert a row with these static values into the target by hand',
      kind: 'source',
    })
  }

  #ofValue(thrown: unknown, found: DriverRow, column: string): SluiceError {
    const error = asSluiceError(thrown)
    const { code, message, reason, hint } = error
    const key = [...this.#shape.partition, ...this.#shape.clustering]
      .map((name) => driverText(found[nameInRow(name)]))
      .join(', ')
    const where = `${tableText(this.#request.table.table)}.${column}, row (${key})`
    return new SluiceError(code, `${where}: ${message}`, { where, kind: 'source', cause: thrown, reason, hint })
  }
}

function sharedOf(
  { columns, partition }: CassandraShape,
  names: ReadonlySet<string>,
  stamps: readonly TimeNames[],
): SharedColumns | null {
  const values = [...names].filter((name) => columns.get(name)?.part === 'static')
  if (values.length === 0) return null
  const parts = stamps.filter((part) => part !== null && values.includes(part.value))
  const lifetimes = parts.flatMap((part) => (part === null ? [] : [part.life]))
  const times = parts.flatMap((part) => (part === null ? [] : [part.time]))
  const what = [...values.map(selectedCqlColumn), ...parts.flatMap(timesOf)].join(', ')
  const inRow = values.map(nameInRow)
  return {
    partition: partition.map(nameInRow),
    values: inRow,
    lifetimes,
    all: [...inRow, ...times, ...lifetimes],
    what,
  }
}

/** Expressions for write time and TTL of a value. */
function timesOf(part: TimeNames): readonly string[] {
  if (part === null) return []
  return [
    `writetime(${quotedName(part.value)}) AS ${quotedName(part.time)}`,
    `ttl(${quotedName(part.value)}) AS ${quotedName(part.life)}`,
  ]
}

/** Collections have one write time per cell, which servers before 5.0 do not return. Counters have none. */
function timeNamesOf({ columns, counters }: CassandraShape, name: string, at: number, ofCells: boolean): TimeNames {
  const column = columns.get(name)
  if (column === undefined || counters || (column.manyCells && !ofCells)) return null
  if (column.part === 'partition' || column.part === 'clustering') return null
  // These aliases begin with a blank, because column names of users very rarely do.
  return { value: name, time: ` time ${at}`, life: ` life ${at}` }
}

function shownBy(decode: (value: unknown) => Cell, value: unknown): string {
  try {
    const cell = decode(value)
    return cell === null ? '' : canonicalCellText(cell)
  } catch {
    return driverText(value)
  }
}
