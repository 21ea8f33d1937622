/** Context of a running operation, and its result. */
import type { EndedRun, TaskOfWorker, LedgerTotals } from '../../model/share/distributed.ts'
import type { NamedUrl } from '../../model/share/own-url.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import type { TableName } from '../../model/copy/column-type.ts'
import type { LedgerDatabase } from '../../model/run/ledger-port.ts'
import type { LeftBehind } from '../../model/copy/dependencies.ts'
import type { StreamVerdict } from '../../model/run/alert.ts'
import type { Dec, Event, EventType } from '../../model/run/event.ts'
import type { SluiceError } from '../../shared/errors.ts'
import type { Owner } from '../../shared/owner.ts'
import type { QueueWatch, WatchParts } from './watch-port.ts'
import type { Steered } from './steered.ts'
import type { OperationContext } from './operation.ts'

/** Result of an operation; `runOperation` adds time, status and exit code. */
export type Ending = {
  readonly totals: Readonly<Record<string, Dec>>
  readonly proof?: string
  /** Text about checks that a reader might expect, but that were not made. */
  readonly notChecked?: string
  /** Error of an operation that nevertheless ran to its end. */
  readonly error?: SluiceError
  /** True if the operation ended early on request; the same command resumes it. */
  readonly stopped?: boolean
  readonly wrote?: readonly string[]
  /** Runs that have rows in quarantine. */
  readonly asideRuns?: readonly Dec[]
  /** Dependencies that a copy did not transfer. */
  readonly leftBehind?: readonly LeftBehind[]
  /** Command to run next if work is left. */
  readonly next?: string
}

/** A stream that begins to copy: both sides with their tables, and the database of its ledger. */
export type StreamBegun = {
  readonly from: { readonly store: CopyStore; readonly tables: readonly TableName[] }
  readonly to: { readonly store: CopyStore; readonly tables: readonly TableName[] }
  readonly ledger: LedgerDatabase
  readonly run: Pick<Run<'log'>, 'emit' | 'owner' | 'interrupt'>
  /** Aborted when the run must stop. */
  readonly stopping: AbortSignal
}

/** @property owner holds this run's leases in every database: the same run on another machine is another owner */
export type Run<E extends EventType = never> = OperationContext<E> & {
  readonly runId: string
  readonly owner: Owner
  /** Folder of this machine's run history; absent: none is kept. */
  readonly book?: string
  /** For a task: id that is equal for all executions of all tasks of one distributed run. */
  readonly sharedRun?: string
  /** For a task that has a stream: asks other workers to join its copy or its comparison. */
  readonly callOthers?: () => void
  /** For a task that copies: receives the ledger's totals of the distributed run. */
  readonly ledgerTotals?: (totals: LedgerTotals) => void
  /** For a worker: watches all runs of its queue for alerts. */
  readonly watchRuns?: (parts: WatchParts) => Promise<QueueWatch>
  /** For a worker: throws NO_SUCH_PATH if the tables of a task are in folders, and none of these is on this machine. */
  readonly checkTableFolders?: (operation: unknown, known: readonly NamedUrl[]) => Promise<void>
  /** Receives verdicts about the stream of the run; `tables` as in `--tables`. Absent without alerts. */
  readonly streamAlert?: (verdict: StreamVerdict, tables: string) => void
  /** Returns when no program works on an archived partition of the stream's tables; set by `runOperation`. */
  readonly waitForArchives?: (begun: StreamBegun) => Promise<void>
  /** Adds options of a command line to the commands that a text names; set by `runOperation`. */
  readonly wholeBy?: (commandLine: string) => (text: string) => string
  /** Steers the run over its socket until disposed; absent if there is no socket. */
  readonly steerBy?: (steered: Steered) => Disposable
  /** Receives the events of a worker's tasks: they are not events of the worker's own run. */
  readonly slots?: TaskListener
}

export type TaskListener = {
  /** An event of a task. */
  readonly event: (task: TaskOfWorker, event: Event) => void
  /** A distributed run whose end this worker has recorded in the queue. */
  readonly ended: (run: EndedRun) => void
}

/** The run of an operation: it can emit only declared events. */
export type RunOf<D extends { readonly events: readonly EventType[] }> = Run<D['events'][number]>
