/**
 * What a store offers for planning to partition a table: findings, distribution of its rows over time, statements that
 * create the new table, and a measured write rate. Only `make` leaves changes.
 */
import type { PartitionFindingEvent } from './events.ts'
import type { Column, TableName, TableSpec } from '../copy/column-type.ts'

/** Type of the column's values: dates, local times (`timestamp`), or instants. */
export type TimeKind = 'date' | 'timestamp' | 'timestamptz' | 'epoch-seconds' | 'epoch-milliseconds'

/** A finding for a table that is to be partitioned. */
export type PlanFinding = Readonly<Omit<PartitionFindingEvent, 'type' | 'table'>>

/** A table, and the time column of the future partitions. */
export type TableToPartition = { readonly table: TableSpec; readonly column: Column; readonly kind: TimeKind }

/** Row count from all or some blocks. */
export type CountedRows = {
  readonly rows: bigint
  /** Error margin with 95 % confidence; null if the rows were counted. */
  readonly off: bigint | null
}

/** `blocks`: number of blocks that were read; `of`: of all blocks. Null if an index or the whole table was read. */
export type Sampled = { readonly blocks: bigint; readonly of: bigint } | null

/** Rows by the year of the column, in UTC, and rows without a valid year. */
export type Years = {
  readonly years: ReadonlyMap<number, CountedRows>
  readonly nulls: CountedRows
  /** Rows whose value is infinite, before the year 1, or after the year 9999. */
  readonly outside: CountedRows
  readonly sampled: Sampled
}

/** Rows between two bounds, and their size on disk without indexes. */
export type Bucket = CountedRows & { readonly bytes: bigint }

export type RowSpread = {
  /** Rows between each pair of neighbouring bounds. */
  readonly buckets: readonly Bucket[]
  readonly sampled: Sampled
}

/** A partition of the new table. */
export type NewTablePartition = { readonly name: string; readonly from: string; readonly to: string }

export type MeasureRequest = TableToPartition & {
  /** Partitions of the new table, as passed to `newTable`. */
  readonly partitions: readonly NewTablePartition[]
  /** Sessions that read and write at the same time. */
  readonly workers: number
  /** Number of rows after which a session stops, unless `timeLimitMs` ends first. */
  readonly rows: number
  /** Time after which a session stops, ms. */
  readonly timeLimitMs: number
  readonly signal: AbortSignal
}

export type MeasuredRead = {
  /** Rows read by all sessions together. */
  readonly rows: bigint
  /** Size of these rows on disk, without indexes. */
  readonly bytes: bigint
  readonly ms: number
  /** Null if they were written too; otherwise why they were only read. */
  readonly onlyRead: string | null
}

export type NewTableStatements = {
  readonly all: readonly string[]
  /**
   * Statements for constraints that late rows could violate until the table has caught up: foreign keys, and unique
   * constraints other than the primary key.
   */
  readonly late: readonly string[]
  readonly columns: readonly NewTableLine[]
}

/** A column of the new table, and its line in the statement that creates the table. */
export type NewTableLine = { readonly name: string; readonly type: string; readonly line: string }

/**
 * Value of `about` for findings about publications in the old table's database that would also contain the new
 * partitions. Such findings do not apply if the new table is created in another database.
 */
export const PUBLISHED_PARTITIONS = 'published partitions'

/** Result of trying the statements of a new table in a database. */
export type TrialResult = {
  /** Types that the database lacks. If there are any, only the columns of the new table were tried. */
  readonly missing: readonly string[]
  /**
   * Reasons why the database refuses required statements, without duplicates. `hint`: what to do, if the general advice
   * (create the missing objects, grant the rights) does not help.
   */
  readonly refused: readonly { readonly reason: string; readonly hint?: string }[]
  /** The refused statements of `late`, with reasons. */
  readonly left: readonly { readonly statement: string; readonly reason: string }[]
}

export interface PartitionPlanStore {
  /**
   * All findings from the system catalogs. A read for which the login lacks a right is a finding, too.
   * @param nulls true if rows with NULL in the column were found
   * @throws SluiceError SOURCE_GONE, SOURCE_DENIED, CONNECTION_LOST
   */
  findings(planned: TableToPartition, nulls: boolean, signal: AbortSignal): Promise<readonly PlanFinding[]>
  /** Findings about rights in the database of the new table that its stream or its cutover needs. */
  roleFindings(signal: AbortSignal): Promise<readonly PlanFinding[]>
  /** Counts the rows of each year. @param exact true to read all rows, however many */
  years(planned: TableToPartition, exact: boolean, signal: AbortSignal): Promise<Years>
  /** Counts rows between bounds. @param bounds as the column prints them, ascending; the first is inclusive */
  spread(planned: TableToPartition, bounds: readonly string[], exact: boolean, signal: AbortSignal): Promise<RowSpread>
  /** Names of the new tables and their objects that are already in use. */
  usedNames(planned: TableToPartition, tables: readonly string[], signal: AbortSignal): Promise<readonly string[]>
  /**
   * Statements that create the new table, its partitions and everything required before rows are inserted, in execution
   * order. All names are qualified; the statements run as printed.
   */
  newTable(
    planned: TableToPartition,
    name: string,
    partitions: readonly NewTablePartition[],
    signal: AbortSignal,
  ): Promise<NewTableStatements>
  /** Statements of `late` (see `newTable`) for objects that the new table in this store's database does not have. */
  missingObjects(table: TableName, late: readonly string[], signal: AbortSignal): Promise<readonly string[]>
  /**
   * Tries statements of `newTable` in the database of this store and rolls them back, to find refusals before a run.
   * @throws SluiceError TARGET_DENIED, CONNECTION_LOST
   */
  tryStatements(statements: NewTableStatements, signal: AbortSignal): Promise<TrialResult>
  /**
   * Runs statements of `newTable` in one transaction, in the database of this store.
   * @throws SluiceError TARGET_DENIED, TARGET_BUSY if other sessions lock a table that the new one references,
   * TABLE_REFUSED with the server's message
   */
  make(statements: readonly string[], signal: AbortSignal): Promise<void>
  /** True if the column is the first of an index: otherwise each period would need a scan of the whole table. */
  isIndexed(planned: TableToPartition, signal: AbortSignal): Promise<boolean>
  /** Reads rows and writes them to a temporary table with the indexes of the new one, then rolls back. */
  measure(request: MeasureRequest): Promise<MeasuredRead>
}
