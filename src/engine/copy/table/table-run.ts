/** A table on its way through a copy, and what it came to. */
import type { SluiceError } from '../../../shared/errors.ts'
import type { AgainWork } from '../again/again-work.ts'
import type { TableContext } from './context.ts'

export type Tallies = {
  readonly read: bigint
  readonly written: bigint
  readonly skipped: bigint
  readonly quarantined: bigint
  /** Of the source, about. */
  readonly bytes: bigint
  readonly chunks: bigint
  /** By this run. */
  readonly proved: bigint
  /** Completed by other runs, and left as they are. */
  readonly earlier: bigint
  /** Of those: counted by this run on both sides. */
  readonly looked: bigint
}

/** Sums of a table over all runs, and why it is not whole; null where it is, or where it was left out as asked. */
export type Ended = {
  readonly tally: Tallies
  readonly error: SluiceError | null
  readonly leftOut: boolean
  /** Indexes and constraints that were not begun, because the run was asked to stop. */
  readonly unbuilt: number
  /** Chunks of other runs that were not counted, because the run was asked to stop. */
  readonly unlooked: boolean
}

/** One table on its way. */
export type TableRun = {
  readonly name: string
  /** Null for a table that could not be begun. */
  readonly context: TableContext | null
  /** By the run's clock. */
  readonly begun: number
  /** Set where the table was given up. */
  error: SluiceError | null
  done: boolean
  aside: number
  /** Chunks of it that workers of this run have. */
  busy: number
  /** What `--again` compares of it when its chunks are copied; absent where nothing is compared. */
  readonly again?: AgainWork
  /** Set when it has been told how the table ended. */
  ended?: Ended
}
