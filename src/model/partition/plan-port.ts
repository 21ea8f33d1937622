/**
 * What a store offers to those who ask what it takes to partition a table that is not: what of the table is in the way or becomes something else, how its rows
 * lie in time, the statements that make the new table, and how fast rows go into it. Nothing that it does outlives it.
 */
import type { Column, TableSpec } from '../copy/column-type.ts'

/** What the values of the column are; those that are no date are moments or, as `timestamp`, clocks on a wall. */
export type TimeKind = 'date' | 'timestamp' | 'timestamptz' | 'epoch-seconds' | 'epoch-milliseconds'

type PlanVerdict = 'refused' | 'changes' | 'made' | 'fine' | 'not looked'

/** One thing that partitioning a table would meet, as it stands now. */
export type PlanFinding = {
  readonly verdict: PlanVerdict
  /** Of what kind it is, such as `foreign key`. */
  readonly about: string
  readonly object?: string
  /** What will happen, or why not. */
  readonly detail: string
  readonly hint?: string
}

/** A table, and the column whose times its partitions are to be ranges of. */
export type PlannedTable = { readonly table: TableSpec; readonly column: Column; readonly kind: TimeKind }

/** Rows of which all or some blocks were read. */
export type Counted = {
  readonly rows: bigint
  /** The true number is no further away in 95 of 100 cases; null where rows were counted. */
  readonly off: bigint | null
}

/** How many of the table's blocks were read; null where an index or all of the table was. */
export type Sampled = { readonly blocks: bigint; readonly of: bigint } | null

/** Rows by the year of the column, in UTC, and those that have no year of a calendar. */
export type Years = {
  readonly years: ReadonlyMap<number, Counted>
  readonly nulls: Counted
  /** Infinite, before the year 1, or after the year 9999. */
  readonly outside: Counted
  readonly sampled: Sampled
}

/** Rows between two bounds, and what they take on disk, without their indexes. */
export type Bucket = Counted & { readonly bytes: bigint }

export type Spread = {
  /** One fewer than bounds. */
  readonly buckets: readonly Bucket[]
  readonly sampled: Sampled
}

/** A partition of the new table. */
export type TwinPartition = { readonly name: string; readonly from: string; readonly to: string }

export type MeasureRequest = PlannedTable & {
  /** As `twin` takes them. */
  readonly partitions: readonly TwinPartition[]
  /** Sessions that read and write at the same time. */
  readonly lanes: number
  /** It ends as soon as a lane has so many rows … */
  readonly rows: number
  /** … or after so long, ms. */
  readonly budgetMs: number
  readonly signal: AbortSignal
}

export type Measured = {
  /** Of all lanes together. */
  readonly rows: bigint
  /** What these rows take on disk, without their indexes. */
  readonly bytes: bigint
  readonly ms: number
  /** Null where they were written, too; else why they were only read. */
  readonly onlyRead: string | null
}

export type TwinStatements = {
  readonly all: readonly string[]
  /** Those of them that make what a row copied late may break until the table has caught up: foreign keys, and what keeps rows apart beside the primary key. */
  readonly late: readonly string[]
  /** Types of the columns, as the statements name them. */
  readonly types: readonly string[]
}

/** What a database says of statements that would make a new table there. */
export type Rehearsal = {
  /** Types that it does not have: the others were not tried then. */
  readonly missing: readonly string[]
  /** Why it refuses one that a new table cannot be without; null where all of these run. */
  readonly refused: string | null
  /** Of `late` those that it refuses, and why. */
  readonly left: readonly { readonly statement: string; readonly reason: string }[]
}

export interface PartitionPlanStore {
  /**
   * Everything that the catalogs of the system say about the table. A look that somebody has no right to make is a finding, too.
   * @param nulls whether rows are known that have no value in the column
   * @throws SluiceError SOURCE_GONE, SOURCE_DENIED, CONNECTION_LOST
   */
  findings(planned: PlannedTable, nulls: boolean, signal: AbortSignal): Promise<readonly PlanFinding[]>
  /** @param exact whether all rows are read, however many there are */
  years(planned: PlannedTable, exact: boolean, signal: AbortSignal): Promise<Years>
  /** @param bounds as the column has them, ascending; the first is in the first bucket */
  spread(planned: PlannedTable, bounds: readonly string[], exact: boolean, signal: AbortSignal): Promise<Spread>
  /** Which names of the new tables, and of what belongs to them, something else has. */
  taken(planned: PlannedTable, tables: readonly string[], signal: AbortSignal): Promise<readonly string[]>
  /**
   * Statements that make the new table beside the old one, its partitions and all that they need before rows come in, in the order in which they have to run.
   * They name everything in full and run as they are printed.
   */
  twin(
    planned: PlannedTable,
    name: string,
    partitions: readonly TwinPartition[],
    signal: AbortSignal,
  ): Promise<TwinStatements>
  /**
   * Tries statements of `twin` in the database of this store, and takes them back: what it refuses is found before a run.
   * @throws SluiceError TARGET_DENIED, CONNECTION_LOST
   */
  rehearse(statements: TwinStatements, signal: AbortSignal): Promise<Rehearsal>
  /**
   * Runs statements of `twin` in one transaction, in the database of this store.
   * @throws SluiceError TARGET_DENIED, TARGET_BUSY where others keep a table that the new one refers to, TABLE_REFUSED with what the server says
   */
  make(statements: readonly string[], signal: AbortSignal): Promise<void>
  /** Whether an index finds rows of a table by the column first: else each period would be looked for in the whole table. */
  isIndexed(planned: PlannedTable, signal: AbortSignal): Promise<boolean>
  /** Reads rows of the table and writes them into a temporary one with the indexes of the new one, which is rolled back. */
  measure(request: MeasureRequest): Promise<Measured>
}
