/**
 * Port of a source whose triggers note the keys of changed rows. A round reads the notes of one snapshot, and emits the
 * current row of each noted key, or a delete if the row is missing. If a program is killed before the notes are
 * deleted, a later round emits the same keys again, with the same result in the target.
 */
import type { Change, LogPosition } from '../../../model/copy/change.ts'
import type { SourceView } from '../../../model/copy/source-port.ts'

/** State between two rounds. */
export type RoundState = {
  /** Position of the source now. */
  readonly end: LogPosition
  readonly isNoted: boolean
  /** Position if nothing is noted: all changes committed before it were emitted, and are durable at the source. */
  readonly idle: LogPosition
}

/** A round that was emitted completely. */
export type StreamRound = {
  /**
   * Position of the round, fixed before the snapshot was taken, and durable at the source: later catch-up positions are
   * greater. Meaningless if `isEmpty`.
   */
  readonly position: LogPosition
  /** True if no change was noted. */
  readonly isEmpty: boolean
  /**
   * Durably deletes exactly the emitted notes, and records the position in the same transaction. Called once, when the
   * changes are durable in the target.
   */
  forget(upTo: LogPosition): Promise<void>
  /** A view that reads the snapshot of the round; only for rounds with `forView`. */
  view(): Promise<SourceView>
}

/**
 * The changes of a round, without its `commit`; none if nothing is noted.
 * @returns null if nothing was emitted because a table was unavailable
 */
export type RoundChanges = AsyncGenerator<readonly Change[], StreamRound | null>

export interface Rounds {
  /** Inspects the source between two rounds; reports no change. */
  state(): Promise<RoundState>
  /**
   * @param forView true if the snapshot stays open until `StreamRound.view` takes it, or until the generator is ended
   * early; else the snapshot ends with the round
   * @throws SluiceError VALUE_REFUSED, and errors of the source: then the stream ends
   */
  report(forView: boolean): RoundChanges
  /** Runs a query of the source under the stream's signal, and maps its errors to errors of the source. */
  guarded<T>(body: () => Promise<T>): Promise<T>
  close(): Promise<void>
}
