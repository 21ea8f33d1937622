/** What a run asks of the writing of rows. */
import type { StampWish } from './stamps.ts'

/** How rows are written, where a run does not leave it to the defaults. */
export type WriteWish = StampWish & {
  /** Where a write cannot be had at its level it is done at ONE. */
  readonly fallBackToOne?: true
  /** Rows of one batch; batches hold rows of one partition only. */
  readonly batchRows?: number
  /** Told of a row that was written at ONE only: its table, its key as texts, and why. */
  readonly onWeakWrite?: (table: string, key: readonly string[], why: string) => void
}
