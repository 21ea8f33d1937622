/** What goes along with a copy and knows of changes of its source. A copy is given it at the start, and knows no streams itself. */
import type { LogPosition } from '../../model/copy/change.ts'
import type { CopyStore, LedgerDatabase, Statement } from '../../model/copy/port.ts'
import type { SluiceError } from '../../shared/errors.ts'
import type { Ending } from '../run/run-context.ts'
import type { CopyEvent, CopyRun } from './copy-run.ts'
import type { Owner } from './ledger/owner.ts'
import type { SharedRestarts } from './ledger/shared-restarts.ts'
import type { StreamRow } from './ledger/stream-row.ts'
import type { CopyOperation } from './operations/copy/declaration.ts'
import type { PlannedCopy, PlannedTable } from './plan/plan-copy.ts'
import type { Surroundings } from './table/copy-context.ts'

/** The stream that a command goes on with. @property tables names of the source's tables, `tableText` */
export type WishedStream = { readonly row: StreamRow; readonly tables: ReadonlySet<string> }

/** What a stream is opened with. */
export type StreamParts = {
  readonly operation: CopyOperation
  readonly planned: PlannedCopy
  /** The stream that the command goes on with, as it was found before anything was planned; null where there is none yet. */
  readonly wished: WishedStream | null
  readonly database: LedgerDatabase
  readonly owner: Owner
  readonly run: CopyRun
  /** Of a slot of a run that begins anew, copies tables anew, or confirms its target: what turns before it have done of that, and where it is noted. */
  readonly restarts?: SharedRestarts
  /** Ends the copying of tables. */
  readonly stop: () => void
  /** That the run is to stop, whoever asks for it: an alert of its own, too. */
  readonly stopping: AbortSignal
}

/** What is known of a stream before anything is made. */
export type ExaminedParts = Pick<StreamParts, 'operation' | 'planned' | 'run'> & {
  readonly database: LedgerDatabase | null
}

/** A stream that has begun: what is committed from here on comes in it. */
export interface FollowedStream extends AsyncDisposable {
  /** Chunks are taken as long as this gives a row. */
  readonly fence: Statement
  heard(event: CopyEvent): void
  /** Waits until what a look at the source shows is settled. */
  settle(): Promise<LogPosition>
  /** Tables with chunks that are not copied yet. */
  toCopy(): Promise<readonly PlannedTable[]>
  /** Copies chunks while the stream's lease holds. */
  copying(body: () => Promise<void>): Promise<void>
  /** Applies changes until the run ends. */
  follow(copied: Ending, around: Surroundings): Promise<Ending>
  /** The end of a run that has not come to follow. */
  unfollowed(ending: Ending): Ending
}

export interface Companion {
  /** A cutover says by itself what does not come along. */
  readonly saysLeftBehind: boolean
  /** @throws SluiceError NOT_FOLLOWABLE for a URL that cannot be followed into: nothing is opened yet */
  refuse(operation: CopyOperation): void
  /** @returns the stream that the command goes on with, as the ledger has it; null where there is none */
  wished(operation: CopyOperation, from: CopyStore, to: CopyStore): Promise<WishedStream | null>
  /**
   * Looks at both sides before anything is made.
   * @param parts its ledger: null where there is none
   * @throws SluiceError what keeps tables from being followed
   */
  examine(parts: ExaminedParts): Promise<void>
  /** Begins the stream, or goes on with it, before the first chunk is read. @throws SluiceError; the run ends with it */
  open(parts: StreamParts): Promise<FollowedStream>
  /** @returns why changes are not applied by so many lanes; null where they may be */
  lanesRefusal(lanes: number, to: CopyStore): SluiceError | null
}
