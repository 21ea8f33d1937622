/** Called between two transactions of a stream whose tables are live; decides whether the run ends there. */
import type { ChangeStream } from '../../../model/follow/port.ts'
import type { ApplyWorkers } from '../apply/apply-workers.ts'
import type { ProvingRound } from '../compare/proving.ts'
import type { TouchedRows } from '../compare/touched-rows.ts'

/** State in which everything received is durable in the target, and no row waits to be read again. */
export type AppliedState = {
  readonly applyWorkers: ApplyWorkers
  /** Further changes; those that are read here must be passed to the apply worker. */
  readonly stream: ChangeStream
  /** Fencing token under which this program owns the stream. */
  readonly fence: number
  /** The last comparison of all rows by this run, which found them equal; null if there is none, or one is running. */
  readonly proof: ProvingRound | null
  /** @returns false if only later changes can show whether rows were lost @throws as `StreamVerifier.verify` */
  readonly verify: () => Promise<boolean>
  /** Compares the touched rows; then only later changes are touched. @returns false if there was no common snapshot */
  readonly compareTouched: () => Promise<boolean>
}

/** The only stream that a run may resume. */
export type OnlyStream = { readonly stream: string; readonly watch?: Watch }

export interface Watch {
  /** Rows that were changed since the snapshot of the comparison that began last. */
  readonly touched: TouchedRows
  /** True if the run ends at the next transaction, regardless of the state of its tables. */
  mustEnd(): boolean
  /** Called before all rows are compared. */
  prepare(): Promise<void>
  /** @returns `end` ends the run; `prove` compares all rows again; `on` continues, and calls again */
  between(now: AppliedState): Promise<'end' | 'prove' | 'on'>
}
