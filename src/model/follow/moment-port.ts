/** A stream of changes that is read by snapshots: it can tell one moment of the source, with a view of it. */
import type { Change } from '../copy/change.ts'
import type { SourceView } from '../copy/port.ts'
import type { ChangeStream } from './port.ts'

export interface MomentStream extends ChangeStream {
  /**
   * Tells `take` everything that a snapshot shows and that was not told before, and nothing beyond it, to the end of a transaction or an `idle`. Called between
   * two transactions, when everything before is confirmed.
   * @returns a view that reads the same snapshot; null where it was not to be had now
   * @throws as `next`, and what `take` throws
   */
  moment(take: (changes: readonly Change[]) => Promise<void>): Promise<SourceView | null>
}

export function tellsMoments(stream: ChangeStream): stream is MomentStream {
  return 'moment' in stream
}
