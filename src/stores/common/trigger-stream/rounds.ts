/**
 * What a source offers whose triggers note the keys of what changes. A round is everything that one snapshot shows of the notes: of each key that is noted the row
 * as it stands, or that it is gone. So a round that comes again, because a program was killed before its notes were forgotten, changes nothing that is wrong.
 */
import type { Change, LogPosition } from '../../../model/copy/change.ts'
import type { SourceView } from '../../../model/copy/port.ts'

/** Between two rounds. */
export type Look = {
  /** Where the source is now. */
  readonly end: LogPosition
  readonly isNoted: boolean
  /** If nothing is noted, then everything is told that was committed before this position, and it is on the source's disk. */
  readonly idle: LogPosition
}

/** A round that is told to its end. */
export type Round = {
  /**
   * Read or given out before the snapshot was taken, and durable at the source: a fence that somebody gets later is behind it. Of a round that says `isEmpty` it
   * means nothing.
   */
  readonly position: LogPosition
  /** Nothing was noted. */
  readonly isEmpty: boolean
  /** Removes exactly the notes that were told, durably, and notes in the same transaction up to where. Called once, when the target has them. */
  forget(upTo: LogPosition): Promise<void>
  /** A view that reads the snapshot of the round; of rounds that were told for one. */
  view(): Promise<SourceView>
}

/** The changes of a round, without its `commit`; none at all where nothing is noted. @returns null where nothing was told because a table was not to be had */
export type Telling = AsyncGenerator<readonly Change[], Round | null>

export interface Rounds {
  look(): Promise<Look>
  /**
   * @param forView the snapshot lives on until `Round.view` has it, or the round is disposed of by ending the generator early; else it ends with the round
   * @throws SluiceError VALUE_REFUSED, and what the source says: the stream ends then
   */
  tell(forView: boolean): Telling
  /** Runs something that asks the source, under the stream's signal, and says of its errors that they are the source's. */
  guarded<T>(body: () => Promise<T>): Promise<T>
  close(): Promise<void>
}
