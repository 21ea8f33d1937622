/**
 * What a store offers to runs that several machines share: a queue of slots, and rows about runs and workers. The queue hands out work and nothing else: leases,
 * fences and proofs are those of ledger and catalog, so that a slot which two workers have at once does no harm.
 */
import type { AlertKey, AlertMemory, AlertState } from '../run/alert-memory.ts'
import type {
  DistributedRun,
  EndedRun,
  LedgerTotals,
  QueueStand,
  RunWishes,
  Slot,
  SlotEnd,
  TurnProgress,
  UncountedRun,
  WatchedRun,
  WorkerRow,
  Rested,
} from './distributed.ts'
import type { Event } from '../run/event.ts'
import type { TableWish } from '../run/table-wish.ts'
import type { ErrorInfo } from '../../shared/errors.ts'
import type { NamedStore, QueuedRun } from './queued-run.ts'
import type { ScheduleBook } from './schedule-port.ts'

export type { NamedStore, QueuedRun, QueuedSlot } from './queued-run.ts'

export type SlotKey = { readonly runId: string; readonly no: number }

/** A slot that a worker has, with a number that fences it: whoever claims it later has a higher one. */
export type ClaimedSlot = SlotKey & {
  readonly fence: number
  readonly kind: string
  readonly takesTurns: boolean
  /** The same for all turns of all slots, until somebody goes on with the run after its end. */
  readonly sharedRun: string
  /** Of the slot, else of the run. */
  readonly operation: unknown
  readonly stores: readonly NamedStore[]
  readonly commandLine: string
  readonly about: string
  /** Of the plan that was confirmed; null where none had to be. */
  readonly mark: string | null
  readonly rested: Rested
  /** It copies and compares for the slot that has the stream. */
  readonly onCall: boolean
  /** What is wished of the run before this turn begins. */
  readonly orders: SlotOrders
}

/**
 * Tables of a run that take wishes now, by the plans of its slots.
 * @property names whole names, each once @property isWhole every slot has planned: there are no others
 */
export type SteeredTables = { readonly names: readonly string[]; readonly isWhole: boolean }

/** What a beat brings back: what people wish, and among how many slots numbers are shared. */
export type SlotOrders = { readonly wishes: RunWishes; readonly working: number; readonly isOver: boolean }

export type WorkerAbout = Pick<WorkerRow, 'workerId' | 'host' | 'pid' | 'program' | 'concurrency' | 'queues'>

/** What a sweep found: slots that were queued again because their worker was lost, or because nobody had queued them. */
export type Swept = {
  readonly lost: readonly SlotKey[]
  readonly unqueued: readonly SlotKey[]
  /** Runs that it has ended, because every worker refuses them. */
  readonly refused: readonly string[]
  /** Runs whose end it has noted. */
  readonly ended: readonly EndedRun[]
  /** Runs that this worker has refused, and nobody has gone on with since. */
  readonly own: readonly string[]
  /** What this worker has confirmed for the database as it is since its server was promoted. */
  readonly carried: Carried
  /** Runs that begin nothing before they are confirmed in this database. */
  readonly unconfirmed: readonly string[]
  /** Slots of lost workers stand, and this one may not take them yet: it has not reached the queue for long enough. */
  readonly isWithheld: boolean
}

/** How many schedules, and runs that go on. @property isSetBack none: behind the new timeline the queue is one of an earlier time */
export type Carried = { readonly schedules: number; readonly runs: number; readonly isSetBack?: true }

/** What is noted beside an alert. @property at when it began to stand, ms since the epoch by the clock of the queue @property run that it is of @property chunks that it is about */
export type AlertNote = { readonly at?: number; readonly run?: string; readonly chunks?: readonly string[] }

/** As `AlertMemory`, by the clock of the queue. @throws SluiceError CONNECTION_LOST … */
export type AlertBook = {
  /** Of one that stands the chunks are added to those that are noted. */
  begin(key: AlertKey, note?: AlertNote): ReturnType<AlertMemory['begin']>
  /** Takes chunks that have moved from an alert. @returns whether it stands, and none of its chunks is left */
  moved(key: AlertKey, chunks: readonly string[]): Promise<boolean>
  end(key: AlertKey): ReturnType<AlertMemory['end']>
  sent(key: AlertKey, state: AlertState): Promise<void>
}

export interface RunQueue extends AsyncDisposable {
  /** URL without password. */
  readonly label: string
  /** ms since the epoch by the clock that the times of rows are of. */
  now(): Promise<number>
  /**
   * Makes the run and queues its slots in one transaction.
   * @throws SluiceError CONNECT_FAILED, CONNECTION_LOST, TARGET_DENIED
   */
  submit(run: QueuedRun): Promise<void>
  /** Newest first. @param runId only that one */
  runs(limit: number, runId?: string): Promise<readonly DistributedRun[]>
  slots(runId: string): Promise<readonly Slot[]>
  /** Those that live first; ended ones of the last day. */
  workers(): Promise<readonly WorkerRow[]>
  /** All zeros where there is no queue yet. */
  stand(): Promise<QueueStand>
  /** Asks living workers to end. @param name their host, or the id of one @returns how many were asked */
  drain(name: string): Promise<number>
  /** Null where the queue is of an older program, whose workers steer no single tables. */
  tables(runId: string): Promise<SteeredTables | null>
  /**
   * Adds to what is wished of a run that goes on. `held: false` also confirms one that was put into another database, of which this one is a copy.
   * @param tables wishes for single tables, in their order, by the names that the slots know
   * @returns false where there is no such run, or it has ended
   */
  steer(runId: string, wishes: RunWishes, tables?: readonly TableWish[]): Promise<boolean>
  /** Queues what is left of a run that was stopped or has failed, once more, as wanted in this database. @returns how many slots; null where it goes on, or there is no such run */
  resume(runId: string): Promise<number | null>
  readonly schedules: ScheduleBook
  /** Which alerts of its runs stand, for all hosts. */
  readonly alerts: AlertBook
  /** What a worker does. */
  worker(about: WorkerAbout): QueueWorker
}

/** A worker reports a loss, has sent that; reports its end, has sent that. What is not noted as sent is reported again after `CONFIRM_MS`. */
export type LossReport = 'reported' | 'sent' | 'over' | 'forgotten'

/**
 * @property isMine false where the slot was another worker's already
 * @property goesOn the slot waits for a worker again: never where the run was asked to stop
 * @property ended the run, where this was its end: one worker is told so, unless the answer to it is lost
 */
export type Released = { readonly isMine: boolean; readonly goesOn: boolean; readonly ended: EndedRun | null }

/** One worker's side of the queue. */
export interface QueueWorker {
  /** Says that it lives. @param draining it takes nothing new @returns whether somebody has asked it to end */
  beat(draining: boolean): Promise<boolean>
  /** @returns null where somebody else has the slot, or nothing of it is left */
  claim(key: SlotKey): Promise<ClaimedSlot | null>
  /**
   * @param tables that it can be steered by, where that has changed
   * @returns null where the slot is another worker's by now
   */
  progress(
    slot: ClaimedSlot,
    progress: TurnProgress,
    ledgerRun: string | null,
    tables?: readonly string[],
  ): Promise<SlotOrders | null>
  /** Notes what the ledger of the target has of its run, unless a newer reading is noted. @param ageMs since it was read */
  count(slot: ClaimedSlot, totals: LedgerTotals, ageMs: number): Promise<void>
  /** Runs that have ended since their ledger was read, the newest first. */
  uncounted(): Promise<readonly UncountedRun[]>
  /** Notes what the ledger has of a run as of its end, unless that is less than what is noted: then chunks of it were copied again. */
  countEnd(run: Pick<UncountedRun, 'runId' | 'endedAt'>, totals: LedgerTotals): Promise<void>
  /** Keeps what this turn of it has said, as long as the run is listed. */
  keep(slot: ClaimedSlot, events: readonly Event[]): Promise<void>
  /** Gives a slot back, and ends the run with its last one. */
  release(slot: ClaimedSlot, end: SlotEnd): Promise<Released>
  /** Queues the slots of its run that are on call for it, those that do not work already. */
  callOthers(slot: ClaimedSlot): Promise<void>
  /** Gives a slot back that this worker must not work on, and notes why. */
  refuse(slot: ClaimedSlot, error: ErrorInfo): Promise<void>
  sweep(): Promise<Swept>
  /** Runs with `--alert` that go on, or of which an alert stands. */
  watch(): Promise<readonly WatchedRun[]>
  /**
   * Notes where the report of a loss is. Atomic: of workers that read the same one gets true, and another one later where that has not confirmed within `CONFIRM_MS`.
   * @param at of the loss
   * @returns whether this call has changed it
   */
  noteLoss(key: SlotKey, at: number, is: LossReport): Promise<boolean>
  /**
   * Takes the failure of a slot to report it, for a minute. Atomic: of workers that read the same one gets it.
   * @returns `at`, by which it is noted as reported, and whether it was taken before, by a worker that may not have sent it; null where another worker has it
   */
  takeFailure(key: SlotKey): Promise<{ readonly at: number; readonly isAgain: boolean } | null>
  /** Notes that the failure which was taken then waits no longer. */
  reported(key: SlotKey, at: number): Promise<void>
  /**
   * Takes slots until it is stopped, as many at once as the worker's concurrency.
   * @param perform does not throw @param refused ids of runs that it must not be given
   */
  take(perform: (key: SlotKey) => Promise<void>, refused: () => readonly string[]): Promise<QueueRunner>
  /** Says that it has ended. */
  leave(): Promise<void>
}

/** @property stop takes nothing more, and resolves when what it had has ended @property ended rejects where it gave up by itself */
export type QueueRunner = { stop(): Promise<void>; readonly ended: Promise<void> }
