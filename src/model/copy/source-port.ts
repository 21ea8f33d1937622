/** What a source offers: read views, each of one snapshot, and reads of key ranges in them. */
import type { Column, TableSpec } from './column-type.ts'
import type { ReadPoint } from './plan.ts'
import type { Range } from './range.ts'
import type { ReadColumn } from './read-column.ts'
import type { Cell, Digest, FrameFormat, Row, WriteTimes } from './rows.ts'
import type { SluiceError } from '../../shared/errors.ts'

/** Rows of a table to read; `columns` in the order of the returned cells. */
export type RowRequest = {
  readonly table: TableSpec
  readonly columns: readonly ReadColumn[]
  readonly range: Range
  /** A condition in the SQL of this store. */
  readonly where: string | null
  /** True: in ascending key order, the order in which ranges are divided; false: in any order. */
  readonly ordered: boolean
  /** Set to return write times of the values, too, if the system keeps them. */
  readonly stamps?: true
  /**
   * Set to also return partitions with static values only, as rows without values of clustering columns. `stamps` also
   * returns them. A read without `sharedOnly` and without `stamps` refuses such partitions.
   */
  readonly sharedOnly?: true
  /**
   * Called for a row with a value that does not fit its column's type; the row is left out. Without it, the read throws
   * at the first such row.
   * @param row values from the system, as text
   */
  readonly onRefused?: (row: readonly (string | null)[], error: SluiceError) => void
  /**
   * Only for a target, in which other programs may have written values that do not fit their column's type. Set to
   * return such values as they are stored, in a form that equals no valid value; in a key column they are refused. A
   * checksum of a row with such a value matches no canonical row.
   */
  readonly asStored?: true
  /**
   * Replacement for a value that does not fit its column's type, in stores that do not enforce types. Without it, such
   * a row is refused.
   * @param shown the value as a message shows it
   */
  readonly instead?: (shown: string) => Cell
}

/** A batch of canonical rows, its approximate size in bytes, and one write time per row, if the system has any. */
export type RowBatch = {
  readonly rows: readonly Row[]
  readonly bytes: number
  readonly stamps?: readonly WriteTimes[]
  /** Number of source rows from which `rows` were made, if it differs from the number of `rows`. */
  readonly sourceRows?: number
}

/** Ranges of one table whose rows are counted. */
export type CountRequest = {
  readonly table: TableSpec
  readonly ranges: readonly Range[]
  /** A condition in the SQL of this store. */
  readonly where: string | null
}

export type BatchSize = { readonly rows: number; readonly bytes: number }

export type Extent = {
  readonly rows: bigint
  /** False for an estimate. */
  readonly exact: boolean
  /** Smallest and largest key if it is one column; null if the table is empty or the key has several. */
  readonly low: string | null
  readonly high: string | null
  /** True if there are rows whose key is NULL. */
  readonly nullKeys: boolean
}

/** A read view of a source, in one snapshot if the system has snapshots. Requests may run concurrently. */
export interface SourceView extends AsyncDisposable {
  readonly point: ReadPoint
  /** Handle for `SharedViews.joined` of another program, valid while the view is open; absent if not shareable. */
  readonly exported?: string
  /** True while the view can be read; absent if the store cannot determine it. A failed statement does not close it. */
  readonly isValid?: (() => boolean) | undefined
  /** Row count and key bounds. @param exact true to count the rows, which may take as long as reading the key */
  extent(table: TableSpec, where: string | null, exact: boolean): Promise<Extent>
  /**
   * Divides a range of keys or blocks into ranges of about `rows` rows. Neighbours have byte-equal bounds; the outer
   * bounds are those of `within`. An empty range stays one range.
   */
  cut(table: TableSpec, within: Range, where: string | null, rows: number, signal: AbortSignal): AsyncIterable<Range>
  /** Reads canonical rows. @throws SluiceError VALUE_REFUSED for a value of another type; BAD_PREDICATE for `where` */
  read(request: RowRequest, size: BatchSize, signal: AbortSignal): AsyncIterable<RowBatch>
  /**
   * Yields rows in `format` as the system prints them; returns their number. Throws if the source fails: rows never
   * end early.
   */
  frames?(request: RowRequest, format: FrameFormat, signal: AbortSignal): AsyncGenerator<Buffer, bigint>
  /** Yields rows as the CSV of `model/archive/wire.ts`, produced by the system; returns their number. */
  csv?(request: RowRequest, signal: AbortSignal): AsyncGenerator<Buffer, bigint>
  /** Row count and checksum of a range, computed where that is cheapest. */
  digest(request: RowRequest, signal: AbortSignal): Promise<Digest>
  /**
   * Row counts of the ranges, in one query or request if possible. Absent if the store can only read rows: the caller
   * then reads and counts.
   * @throws SluiceError BAD_PREDICATE for a wrong condition
   */
  readonly counts?: ((request: CountRequest, signal: AbortSignal) => Promise<readonly bigint[]>) | undefined
  /** The largest key of the range; null if it is empty. */
  last(table: TableSpec, range: Range, where: string | null, signal: AbortSignal): Promise<readonly string[] | null>
  /** Largest clock difference between its servers and this machine, ms; only for systems whose values expire. */
  readonly clockApartMs?: (() => Promise<number>) | undefined
}

export type Spellings = {
  /**
   * Condition for values of a column whose spelling may differ from the canonical form, such as a UUID in upper case;
   * null if its type has one spelling.
   */
  condition(column: Column): string | null
}

export interface SharedViews {
  /**
   * Opens a view exported by another program.
   * @param exported `SourceView.exported` of that view
   * @throws SluiceError CONNECTION_LOST if the view was closed; CONNECT_FAILED …
   */
  joined(exported: string, signal: AbortSignal): Promise<SourceView>
}
