/**
 * What a store offers to partition a table without copying it. The table becomes the first partition of a new table
 * with its name, followed by partitions for new periods. The store reads the rows before the switch, during normal use.
 */
import type { Column, TableName } from '../copy/column-type.ts'
import type { PlanFinding, TableToPartition, NewTablePartition } from './plan-port.ts'

export type InPlaceRequest = {
  readonly planned: TableToPartition
  /** Name of the table as a partition, in its own schema. */
  readonly past: string
  /** Name of the new table until it gets the public name, within one transaction. */
  readonly sideName: string
  /** Exclusive upper bound of the partition that was the table, as the column prints it. */
  readonly bound: string
  /** New periods, from `bound` on. */
  readonly partitions: readonly NewTablePartition[]
}

/** `index`, `check` and `validate` block other sessions only briefly; `switch` blocks them until it ends. */
export type InPlaceStep = 'index' | 'check' | 'validate' | 'switch' | 'after'

export type InPlaceStatement = {
  readonly step: InPlaceStep
  readonly sql: string
  /** True if an earlier run has executed the statement. */
  readonly isDone: boolean
}

export type InPlacePlan = {
  readonly findings: readonly PlanFinding[]
  /** In execution order. */
  readonly statements: readonly InPlaceStatement[]
  /** Size of the table without indexes, which an index build or a validation reads. */
  readonly bytes: bigint
}

/** Rows that do not fit into the past partition. */
export type OutsideRows = {
  readonly nulls: bigint
  /** Number of rows at or after the bound, infinite values included. */
  readonly beyond: bigint
  /** Largest finite value at or after the bound; null if there is none. */
  readonly latest: string | null
}

export type InPlaceLimits = {
  /** Longest wait of other sessions per try, ms. */
  readonly pauseLimitMs: number
  /** Total time for tries, ms. */
  readonly triesForMs: number
  readonly signal: AbortSignal
}

/** Called when a step changes its status. `again`: other sessions kept the lock for too long. */
export type InPlaceReported = (step: InPlaceStep, status: 'begun' | 'done' | 'found' | 'again', detail: string) => void

/** Result of a switch. @property pauseMs longest wait of other sessions for the successful try */
export type InPlaceSwitched = {
  readonly pauseMs: number
  readonly tries: number
  readonly made: readonly PlanFinding[]
}

/** A table that was partitioned in place. */
export type InPlaceFacts = {
  readonly past: TableName
  /** Exclusive upper bound of the partition that was the table. */
  readonly bound: string
}

/** The latest period in the partition that was the table, to be split off as its own partition. */
export type SliceRequest = {
  readonly table: TableName
  readonly column: Column
  readonly partition: NewTablePartition
}

/** @property ms expected time that all sessions wait while the rows move, measured with a sample */
export type SlicePlan = { readonly rows: bigint; readonly ms: number }

export interface InPlaceStore {
  /** Measures a move of sample rows, which is rolled back. @throws SluiceError PARTITION_REFUSED, PLAN_CHANGED */
  planSlice(request: SliceRequest, signal: AbortSignal): Promise<SlicePlan>
  /**
   * Validates the narrower bounds of the past partition while the table is in use, then moves the rows in one
   * transaction that blocks all other sessions.
   * @throws SluiceError PARTITION_REFUSED, PLAN_CHANGED, STOPPED
   */
  slice(
    request: SliceRequest,
    limits: InPlaceLimits,
    report: InPlaceReported,
  ): Promise<InPlaceSwitched & { readonly rows: bigint }>
  /** Facts about a table that was partitioned in place; null for any other table. */
  facts(table: TableName, signal: AbortSignal): Promise<InPlaceFacts | null>
  /** Plans in a transaction that is rolled back. @throws SluiceError SOURCE_GONE, TARGET_DENIED */
  plan(request: InPlaceRequest, signal: AbortSignal): Promise<InPlacePlan>
  /** Counts rows that do not fit into the past partition. Reads the whole table if no index helps. */
  outside(request: InPlaceRequest, signal: AbortSignal): Promise<OutsideRows>
  /**
   * Creates indexes and the bounds constraint, and validates it. After a crash the next call continues.
   * @throws SluiceError TARGET_BUSY, PARTITION_REFUSED if rows lie outside, TARGET_DENIED
   */
  prepare(request: InPlaceRequest, limits: InPlaceLimits, report: InPlaceReported): Promise<void>
  /**
   * Makes the table the first partition of the new table, which gets its name. One transaction, retried until the lock
   * is granted.
   * @throws SluiceError STOPPED after the time limit; TABLE_REFUSED, PARTITION_REFUSED
   */
  attach(request: InPlaceRequest, limits: InPlaceLimits, report: InPlaceReported): Promise<InPlaceSwitched>
  /**
   * Steps after the switch that block no sessions: validates foreign keys, gathers statistics. Idempotent. @returns
   * what remains, as text
   */
  finish(table: TableName, signal: AbortSignal): Promise<readonly string[]>
  /**
   * Reverts: the past partition becomes the table again, and the new one is dropped.
   * @throws SluiceError PARTITION_REFUSED if other partitions hold rows; STOPPED, TABLE_REFUSED
   */
  revert(table: TableName, limits: InPlaceLimits, report: InPlaceReported): Promise<InPlaceSwitched>
  /** Removes what `prepare` created on a table that is not partitioned. @returns number of removed objects */
  clear(table: TableName, limits: InPlaceLimits): Promise<number>
}
