/**
 * Interface of the replication stream of a copy. An implementation is passed to the copy at the start, so the copy
 * needs no stream code.
 */
import type { LogPosition } from '../../model/copy/change.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import type { LedgerDatabase, Statement } from '../../model/run/ledger-port.ts'
import type { SluiceError } from '../../shared/errors.ts'
import type { Ending } from '../run/run-context.ts'
import type { CopyEvent, CopyRun } from './copy-run.ts'
import type { RunOwner } from './ledger/owner.ts'
import type { SharedRestarts } from './ledger/shared-restarts.ts'
import type { StreamRow } from './ledger/stream-row.ts'
import type { CopyOperation } from './operations/copy/declaration.ts'
import type { PlannedCopy, PlannedTable } from './plan/plan-copy.ts'
import type { CopyContext } from './table/copy-context.ts'

/** The stream that a command resumes. @property tables names of the source's tables, by `tableText` */
export type WantedStream = { readonly row: StreamRow; readonly tables: ReadonlySet<string> }

/** Arguments for opening a stream. */
export type StreamParts = {
  readonly operation: CopyOperation
  readonly planned: PlannedCopy
  /** The stream that the command resumes, as found before planning; null if there is none yet. */
  readonly asked: WantedStream | null
  readonly database: LedgerDatabase
  readonly owner: RunOwner
  readonly run: CopyRun
  /**
   * Restarts and confirmations that earlier executions have recorded. Given only to a task of a distributed run that
   * restarts, copies tables again, or confirms its target.
   */
  readonly restarts?: SharedRestarts
  /** Stops copying tables. */
  readonly stop: () => void
  /** Aborted when the run is asked to stop, by a user or by the run's own alert. */
  readonly stopping: AbortSignal
}

/** Arguments for the checks before the stream is created. */
export type InspectedParts = Pick<StreamParts, 'operation' | 'planned' | 'run'> & {
  readonly database: LedgerDatabase | null
}

/** A stream that has started: it delivers all changes committed from now on. */
export interface FollowedStream extends AsyncDisposable {
  /** Chunks can be claimed only while this query returns a row. */
  readonly claimGuard: Statement
  /** Receives each event of the copy. */
  onEvent(event: CopyEvent): void
  /** Waits until all changes that are visible at the source now are durable at the source. @returns the log position */
  waitUntilDurable(): Promise<LogPosition>
  /** Tables with chunks that are not copied yet. */
  toCopy(): Promise<readonly PlannedTable[]>
  /** Runs `body`, which copies chunks, while this process has the lease of the stream. */
  copying(body: () => Promise<void>): Promise<void>
  /** Applies changes until the run ends. */
  follow(copied: Ending, copyContext: CopyContext): Promise<Ending>
  /** Returns the ending of a run that ended before it could apply changes. */
  endingWithoutStream(ending: Ending): Ending
}

export interface Companion {
  /** True if the operation itself reports dependencies that are not copied, as a cutover does. */
  readonly reportsDependencies: boolean
  /** @throws SluiceError NOT_FOLLOWABLE for a URL that no stream can write to; call it before any store is opened */
  refuse(operation: CopyOperation): void
  /** @returns the stream that the command resumes, as in the ledger; null if there is none */
  findStream(operation: CopyOperation, from: CopyStore, to: CopyStore): Promise<WantedStream | null>
  /**
   * Checks both sides before anything is created.
   * @param parts `database` is null if there is no ledger
   * @throws SluiceError if tables cannot be replicated
   */
  inspect(parts: InspectedParts): Promise<void>
  /** True if sessions that apply changes check foreign keys of the target: no foreign keys are created then. */
  checksKeys(operation: CopyOperation, to: CopyStore, signal: AbortSignal): Promise<boolean>
  /** Starts or resumes the stream before the first chunk is read. @throws SluiceError, which ends the run */
  open(parts: StreamParts): Promise<FollowedStream>
  /** @returns an error if this number of apply workers is not possible; otherwise null */
  applyWorkersRefusal(applyWorkers: number, to: CopyStore): SluiceError | null
}
