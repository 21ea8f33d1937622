/** A table during a copy, and its result. */
import type { TallyOfChunk } from '../../../model/copy/plan.ts'
import type { SluiceError } from '../../../shared/errors.ts'
import type { AgainWork } from '../again/again-work.ts'
import type { TableContext } from './context.ts'

/** Totals of chunks; `bytes` of the source are approximate. */
export type Tallies = TallyOfChunk & {
  readonly chunks: bigint
  /** Chunks proved by this run. */
  readonly proved: bigint
  /** Chunks completed by other runs, and not changed by this one. */
  readonly earlier: bigint
  /** Chunks of `earlier` that were copied without a proof, and those of which only the number of rows was compared. */
  readonly unproved: bigint
  readonly counted: bigint
  /** Number of chunks of `earlier` whose rows this run counted on both sides. */
  readonly looked: bigint
}

/** Totals of a table over all runs. */
export type TableEnd = {
  readonly tally: Tallies
  /** Why the table is incomplete; null if it is complete, or if chunks are left out on request. */
  readonly error: SluiceError | null
  /** True if the run was asked to leave out chunks that are not completed. */
  readonly leftOut: boolean
  /** Indexes and constraints not started, because the run was asked to stop. */
  readonly unbuilt: number
  /** True if chunks of other runs were not counted, because the run was asked to stop. */
  readonly isRecountStopped: boolean
}

/** One table during a copy. */
export type TableRun = {
  readonly name: string
  /** Null for a table that could not be started. */
  readonly context: TableContext | null
  /** Start of the table, in ticks of the run's clock. */
  readonly begun: number
  /** Set if the table was given up. */
  error: SluiceError | null
  /** True once workers of this run take no more chunks of the table. */
  done: boolean
  /** Number of the table's chunks that workers of this run are copying. */
  busy: number
  /** Chunks that `--again` compares once all chunks are copied; absent without `--again`. */
  readonly again?: AgainWork
  /** Set once the end of the table was reported. */
  ended?: TableEnd
}
