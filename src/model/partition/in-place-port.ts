/**
 * What a store offers to those who partition a table without a copy of it: the table becomes the first partition of a new one that has its name, and new periods
 * come beside it. Whatever reads the table is done before, while others use it.
 */
import type { Column, TableName } from '../copy/column-type.ts'
import type { PlanFinding, PlannedTable, TwinPartition } from './plan-port.ts'

export type InPlaceRequest = {
  readonly planned: PlannedTable
  /** Name that the table gets as a partition, in its own schema. */
  readonly past: string
  /** Name of the new table until it gets the public one: within one transaction. */
  readonly beside: string
  /** First value that is not in the past, as the column has it. */
  readonly bound: string
  /** New periods: they begin at `bound`. */
  readonly partitions: readonly TwinPartition[]
}

/** `index`, `check` and `validate` keep nobody waiting for long; `switch` does until it is over. */
export type InPlaceStep = 'index' | 'check' | 'validate' | 'switch' | 'after'

export type InPlaceStatement = {
  readonly step: InPlaceStep
  readonly sql: string
  /** An earlier run has done it. */ readonly isDone: boolean
}

export type InPlacePlan = {
  readonly findings: readonly PlanFinding[]
  /** In the order in which they run. */
  readonly statements: readonly InPlaceStatement[]
  /** Of the table without its indexes: what an index or a validation reads. */
  readonly bytes: bigint
}

/** Rows that cannot stay in the past. */
export type Outside = {
  readonly nulls: bigint
  /** At the bound or behind it, infinite ones too. */
  readonly beyond: bigint
  /** The latest of those that are not infinite; null where there are none. */
  readonly latest: string | null
}

export type InPlaceLimits = {
  /** Longest that others may wait for one try, ms. */
  readonly budgetMs: number
  /** How long tries are made, ms. */
  readonly triesForMs: number
  readonly signal: AbortSignal
}

export type InPlaceTold = (step: InPlaceStep, status: 'begun' | 'done' | 'found' | 'again', detail: string) => void

/** How a switch went. @property pauseMs longest that others may have waited for the try that held */
export type InPlaceSwitched = {
  readonly pauseMs: number
  readonly tries: number
  readonly made: readonly PlanFinding[]
}

/** A table that has been partitioned in place. */
export type InPlaceDone = {
  readonly past: TableName
  /** First value that is not in the past. */
  readonly bound: string
}

/** The latest period of the past, which is to be a partition of its own. */
export type SliceRequest = {
  readonly table: TableName
  readonly column: Column
  readonly partition: TwinPartition
}

/** @property ms how long everybody would wait while so many rows move, by a sample of them */
export type SlicePlan = { readonly rows: bigint; readonly ms: number }

export interface InPlaceStore {
  /** Moves a sample of rows within a transaction that is rolled back. @throws SluiceError PARTITION_REFUSED, PLAN_CHANGED */
  planSlice(request: SliceRequest, signal: AbortSignal): Promise<SlicePlan>
  /**
   * Has the narrower bounds of the past checked while others write, then moves the rows in one transaction, for which everybody waits.
   * @throws SluiceError PARTITION_REFUSED, PLAN_CHANGED, STOPPED
   */
  slice(
    request: SliceRequest,
    limits: InPlaceLimits,
    tell: InPlaceTold,
  ): Promise<InPlaceSwitched & { readonly rows: bigint }>
  /** @returns null for a table that no run has partitioned in place. */
  done(table: TableName, signal: AbortSignal): Promise<InPlaceDone | null>
  /** Looks, within a transaction that is rolled back. @throws SluiceError SOURCE_GONE, TARGET_DENIED */
  plan(request: InPlaceRequest, signal: AbortSignal): Promise<InPlacePlan>
  /** Reads the whole table where no index helps. */
  outside(request: InPlaceRequest, signal: AbortSignal): Promise<Outside>
  /**
   * Makes indexes and the constraint that says the bounds, and has it validated. Killed anywhere, the next call goes on.
   * @throws SluiceError TARGET_BUSY, PARTITION_REFUSED where rows lie outside, TARGET_DENIED
   */
  prepare(request: InPlaceRequest, limits: InPlaceLimits, tell: InPlaceTold): Promise<void>
  /** One transaction, tried again until others let go. @throws SluiceError STOPPED where they did not in time; TABLE_REFUSED, PARTITION_REFUSED */
  attach(request: InPlaceRequest, limits: InPlaceLimits, tell: InPlaceTold): Promise<InPlaceSwitched>
  /** What keeps nobody waiting and needs the new table: foreign keys are validated, statistics gathered. Done twice it does no harm. @returns what is left, in words */
  settle(table: TableName, signal: AbortSignal): Promise<readonly string[]>
  /**
   * The way back: the past becomes the table again, and the new one is dropped.
   * @throws SluiceError PARTITION_REFUSED where other partitions hold rows; STOPPED, TABLE_REFUSED
   */
  revert(table: TableName, limits: InPlaceLimits, tell: InPlaceTold): Promise<InPlaceSwitched>
  /** Removes what `prepare` has made of a table that is not partitioned. @returns how much that was */
  clear(table: TableName, limits: InPlaceLimits): Promise<number>
}
