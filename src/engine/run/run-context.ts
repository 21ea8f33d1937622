/** What an operation is given while it runs, and what it says when it ends. */
import type { EndedRun, HeardSlot, LedgerTotals } from '../../model/share/distributed.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import type { TableName } from '../../model/copy/column-type.ts'
import type { LedgerDatabase } from '../../model/run/ledger-port.ts'
import type { LeftBehind } from '../../model/copy/left-behind.ts'
import type { Dec, Event, EventType } from '../../model/run/event.ts'
import type { SluiceError } from '../../shared/errors.ts'
import type { Owner } from '../../shared/owner.ts'
import type { QueueWatch, WatchParts } from './watch-port.ts'
import type { Steered } from './steered.ts'
import type { OperationContext } from './operation.ts'

/** What an operation says of itself when it ends; `runOperation` adds time, status and exit code. */
export type Ending = {
  readonly totals: Readonly<Record<string, Dec>>
  readonly proof?: string
  /** What a reader might take for checked, and is not. */
  readonly notChecked?: string
  /** Ran to the end, but not everything is well. */
  readonly error?: SluiceError
  /** Ended early as asked; the same command goes on. */
  readonly stopped?: boolean
  readonly wrote?: readonly string[]
  /** Runs whose rows still wait in the quarantine. */
  readonly asideRuns?: readonly Dec[]
  /** What a copy has not brought along. */
  readonly leftBehind?: readonly LeftBehind[]
  /** What to run next when something is left. */
  readonly next?: string
}

/** A stream that begins to copy: its two sides with the tables of each, and the database of its ledger. */
export type StreamBegun = {
  readonly from: { readonly store: CopyStore; readonly tables: readonly TableName[] }
  readonly to: { readonly store: CopyStore; readonly tables: readonly TableName[] }
  readonly ledger: LedgerDatabase
  readonly run: Pick<Run<'log'>, 'emit' | 'owner' | 'interrupt'>
  /** That the run is to stop. */
  readonly stopping: AbortSignal
}

/** @property owner holds what this run holds, in every database: the same run on another machine is another owner */
export type Run<E extends EventType = never> = OperationContext<E> & {
  readonly runId: string
  readonly owner: Owner
  /** Folder of the book of this machine's runs; none is kept when absent. */
  readonly book?: string
  /** Of a slot: the same for all turns of all slots of one shared run. */
  readonly sharedRun?: string
  /** Of a slot that has a stream: asks other workers to copy, or compare, with it. */
  readonly callOthers?: () => void
  /** Of a slot that copies: given what the ledger has of the shared run. */
  readonly ledgerTotals?: (totals: LedgerTotals) => void
  /** Of a worker: watches all runs of its queue for alerts. */
  readonly watchRuns?: (parts: WatchParts) => Promise<QueueWatch>
  /** Returns when no program works on an archived partition of the tables of a stream; given to each run by `runOperation`. */
  readonly waitForArchives?: (begun: StreamBegun) => Promise<void>
  /** Commands that a text names, completed by the words of a command line; given to each run by `runOperation`. */
  readonly wholeBy?: (commandLine: string) => (text: string) => string
  /** Steers the run over its socket from now on, until it is disposed; absent where nobody listens. */
  readonly steerBy?: (steered: Steered) => Disposable
  /** Told of the slots that a worker has: what they say are no events of the worker's own run. */
  readonly slots?: SlotListener
}

export type SlotListener = {
  /** An event of a slot. */
  readonly event: (slot: HeardSlot, event: Event) => void
  /** A shared run whose end this worker has noted in the queue. */
  readonly ended: (run: EndedRun) => void
}

/** The run of an operation: it says what is declared. */
export type RunOf<D extends { readonly events: readonly EventType[] }> = Run<D['events'][number]>
