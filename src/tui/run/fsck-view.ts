/** State of an `fsck` run: what was checked, and the findings. */
import type { FsckCheckedEvent, FsckFindingEvent } from '../../model/run/event.ts'

export type FsckView = {
  readonly checked: readonly FsckCheckedEvent[]
  /** The newest findings. */
  readonly findings: readonly FsckFindingEvent[]
  readonly findingCount: number
}

export const NO_FSCK: FsckView = { checked: [], findings: [], findingCount: 0 }
