/** Options of a run for writing rows. */
import type { TimeOptions } from './write-times.ts'

/** How rows are written, if not by default. */
export type WriteOptions = TimeOptions & {
  /** True if a write that cannot reach its consistency level is done at ONE. */
  readonly fallBackToOne?: true
  /** Rows per batch; batches hold rows of one partition only. */
  readonly batchRows?: number
  /** Called with a row that was written at ONE only: its table, its key as texts, and the reason. */
  readonly onWeakWrite?: (table: string, key: readonly string[], why: string) => void
}
