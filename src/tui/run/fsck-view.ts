/** What is known of a run of `fsck`: what was gone through, and what was found. */
import type { FsckCheckedEvent, FsckFindingEvent } from '../../model/run/event.ts'

export type FsckView = {
  readonly checked: readonly FsckCheckedEvent[]
  /** The newest of them. */
  readonly findings: readonly FsckFindingEvent[]
  readonly findingCount: number
}

export const NO_FSCK: FsckView = { checked: [], findings: [], findingCount: 0 }
