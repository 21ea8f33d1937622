/** A stream of changes that is read from snapshots: it can stop at a snapshot, and return a read view of it. */
import type { Change } from '../copy/change.ts'
import type { SourceView } from '../copy/source-port.ts'
import type { ChangeStream } from './port.ts'

export interface SnapshotStream extends ChangeStream {
  /**
   * Passes to `take` all remaining changes that a snapshot contains, and no later ones. The last change ends a
   * transaction, or is an `idle`. Call between two transactions, when all earlier changes are confirmed.
   * @returns a view of the same snapshot; null if no snapshot is available now
   * @throws as `next`, and what `take` throws
   */
  snapshot(take: (changes: readonly Change[]) => Promise<void>): Promise<SourceView | null>
}

export function reportsSnapshots(stream: ChangeStream): stream is SnapshotStream {
  return 'snapshot' in stream
}
