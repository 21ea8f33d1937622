/** Where a stream stands at one moment, as far as this program knows. */
import type { LogPosition } from '../../../model/copy/change.ts'
import type { Lanes } from '../apply/lanes.ts'
import type { LaneRow } from '../../copy/ledger/stream-row.ts'
import type { PacedStream } from '../stream/paced-stream.ts'

export type Standing = {
  /** Durable in the target. */
  readonly applied: LogPosition
  readonly row: LaneRow
  /** Behind everything that has come; null while something that has come is not applied. */
  readonly idleAt: LogPosition | null
  /** When what waits first was committed, or what was applied last, ms by the clock of the source; null where nothing was applied yet. */
  readonly commitMs: number | null
  /** When the transaction was committed that was applied last, as the ledger has it. */
  readonly durableMs: number | null
  /** Ms since the stream has found no notes, see `ChangeStream`. */
  readonly emptyForMs: number | null
  /** Whether the source is not read, by a pause or a rate. */
  readonly isShut: boolean
  /** Whether a transaction has come that is held back. */
  readonly isHolding: boolean
}

export function standingOf(lane: Lanes, source: PacedStream): Standing {
  return {
    applied: lane.applied,
    row: lane.row,
    idleAt: lane.hasNothing && !source.isHolding ? lane.taken : null,
    // What waits is younger than what was applied last, by hours where nobody wrote meanwhile.
    commitMs: lane.oldestMs ?? source.heldMs ?? lane.row.commitMs,
    durableMs: lane.row.commitMs,
    emptyForMs: source.emptyForMs,
    isShut: source.isShut,
    isHolding: source.isHolding,
  }
}
