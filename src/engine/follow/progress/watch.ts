/** Who is asked between two transactions of a stream whose tables are live, and decides whether the run ends there. */
import type { ChangeStream } from '../../../model/follow/port.ts'
import type { Lanes } from '../apply/lanes.ts'
import type { Round } from '../compare/proving.ts'
import type { TouchedRows } from '../compare/touched-rows.ts'

/** Everything that has come is durable in the target, and no row waits to be read again. */
export type Standstill = {
  readonly lane: Lanes
  /** What comes next; whoever takes changes from it gives them to the lane. */
  readonly stream: ChangeStream
  /** Number under which this program holds the stream. */
  readonly fence: number
  /** The last comparison of all rows by this run, which found them equal; null while there is none, or one goes on. */
  readonly proof: Round | null
  /** @returns false where only changes that are not applied yet can tell whether something was lost @throws SluiceError STREAM_HALTED, SLOT_LOST */
  readonly verify: () => Promise<boolean>
}

/** The stream that a run goes on with, and no other. */
export type Within = { readonly stream: string; readonly watch?: Watch }

export interface Watch {
  /** Rows that were changed since the moment of the comparison that began last. */
  readonly touched: TouchedRows
  /** Whether the run ends at the next transaction, whatever state its tables are in. */
  isOver(): boolean
  /** All rows are about to be compared. */
  prepare(): Promise<void>
  /** @returns `end` ends the run; `prove` has all rows compared once more; `on` goes on, and asks again */
  between(now: Standstill): Promise<'end' | 'prove' | 'on'>
}
