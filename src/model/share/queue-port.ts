/**
 * What a store offers to shared runs: a queue of tasks, and rows for runs and workers. The queue only distributes work.
 * Leases, fencing tokens and proofs are in ledger and catalog, so two workers with the same task do no harm.
 */
import type { AlertKey } from '../run/alert.ts'
import type { AlertMemory, AlertState } from '../run/alert-memory.ts'
import type {
  DistributedRun,
  EndedRun,
  LedgerTotals,
  QueueState,
  RunRequests,
  TaskRow,
  TurnEnd,
  TurnProgress,
  UncountedRun,
  WatchedRun,
  WorkerRow,
  TransientFailures,
} from './distributed.ts'
import type { Event } from '../run/event.ts'
import type { TableRequest } from '../run/table-request.ts'
import type { ErrorInfo } from '../../shared/errors.ts'
import type { QueuedStore, QueuedRun } from './queued-run.ts'
import type { ScheduleStore } from './schedule-port.ts'

export type { QueuedStore, QueuedRun, QueuedTask as QueuedSlot } from './queued-run.ts'

/** Identifies a task: its run, and its number in the run. */
export type TaskKey = { readonly runId: string; readonly no: number }

/** A claimed task with a fencing token: a later claim has a higher one. */
export type ClaimedTask = TaskKey & {
  readonly fence: number
  readonly kind: string
  /** True if a task is released after a while and resumed later, so that runs alternate. */
  readonly takesTurns: boolean
  /** Id that is equal for all turns of all tasks, until the run is resumed after its end. */
  readonly sharedRun: string
  /** Operation of the task, otherwise of the run. */
  readonly operation: unknown
  readonly stores: readonly QueuedStore[]
  readonly commandLine: string
  readonly about: string
  /** Digest of the confirmed plan; null if no confirmation was required. */
  readonly mark: string | null
  readonly rested: TransientFailures
  /** True for a task that copies or compares tables when the task of the stream requests it. */
  readonly onCall: boolean
  /** Steering requests of the run before this turn. */
  readonly orders: TaskRequests
}

/**
 * Tables of a run that can be steered now, from the plans of its tasks.
 * @property names full names, each once
 * @property isWhole true if every task has planned, so that no more tables will be added
 */
export type SteeredTables = { readonly names: readonly string[]; readonly isWhole: boolean }

/**
 * Reply to a heartbeat: steering requests, and the number of tasks that share the limits. `isOver`: the run is not
 * running any more.
 */
export type TaskRequests = { readonly wishes: RunRequests; readonly working: number; readonly isOver: boolean }

/** What a worker records about itself in the queue. */
export type WorkerAbout = Pick<WorkerRow, 'workerId' | 'host' | 'pid' | 'program' | 'concurrency' | 'queues'>

/** Result of a sweep. `lost`: tasks taken from lost workers. `unqueued`: queued tasks that lacked a job and got one. */
export type QueueSweep = {
  readonly lost: readonly TaskKey[]
  readonly unqueued: readonly TaskKey[]
  /** Runs that the sweep ended because every worker refuses them. */
  readonly refused: readonly string[]
  /** Runs whose end the sweep recorded. */
  readonly ended: readonly EndedRun[]
  /** Runs that this worker refused, and that were not resumed since. */
  readonly own: readonly string[]
  /** Schedules and runs that this worker confirmed after the queue's server was promoted. */
  readonly carried: ConfirmedCounts
  /** Runs that start no task until they are confirmed in this database. */
  readonly unconfirmed: readonly string[]
  /** True if there are tasks of lost workers, but this worker has not been connected long enough to take them. */
  readonly isWithheld: boolean
}

/**
 * Number of confirmed schedules and running runs.
 * @property isSetBack true if nothing was confirmed: the promoted server lacks recent heartbeats of this worker, so the
 * queue is at an earlier state
 */
export type ConfirmedCounts = { readonly schedules: number; readonly runs: number; readonly isSetBack?: true }

/**
 * Details of an alert. @property at start time, ms since the epoch by the queue's clock @property run affected run
 * @property chunks affected chunks
 */
export type AlertNote = { readonly at?: number; readonly run?: string; readonly chunks?: readonly string[] }

/** As `AlertMemory`, by the clock of the queue. @throws SluiceError CONNECTION_LOST … */
export type AlertStore = {
  /** Begins an alert; if it is active already, the chunks are added to it. */
  begin(key: AlertKey, note?: AlertNote): ReturnType<AlertMemory['begin']>
  /** Removes chunks with progress from an alert. @returns true if it is active, and none of its chunks is left */
  moved(key: AlertKey, chunks: readonly string[]): Promise<boolean>
  end(key: AlertKey): ReturnType<AlertMemory['end']>
  sent(key: AlertKey, state: AlertState): Promise<void>
}

export interface RunQueue extends AsyncDisposable {
  /** URL without password. */
  readonly label: string
  /** Queue clock, ms since the epoch; all times of rows use it. */
  now(): Promise<number>
  /**
   * Creates the run and queues its tasks in one transaction.
   * @throws SluiceError CONNECT_FAILED, CONNECTION_LOST, TARGET_DENIED
   */
  submit(run: QueuedRun): Promise<void>
  /** Runs, newest first. @param runId only this run */
  runs(limit: number, runId?: string): Promise<readonly DistributedRun[]>
  slots(runId: string): Promise<readonly TaskRow[]>
  /** Workers, live ones first. Of the ended ones, only those of the last day. */
  workers(): Promise<readonly WorkerRow[]>
  /** Counts of workers, tasks and unconfirmed runs; all zeros if there is no queue yet. */
  state(): Promise<QueueState>
  /** Requests live workers to end. @param name host, or id of one worker @returns how many were requested */
  drain(name: string): Promise<number>
  /**
   * Tables of a run that can be steered. Null if the queue belongs to an older program, whose workers cannot steer
   * tables.
   */
  tables(runId: string): Promise<SteeredTables | null>
  /**
   * Adds steering requests to a running run. `held: false` also confirms a run that was queued in another database, of
   * which this one is a copy.
   * @param tables requests for single tables, in order, by the names that the tasks use
   * @returns false if the run does not exist, or has ended
   */
  steer(runId: string, options: RunRequests, tables?: readonly TableRequest[]): Promise<boolean>
  /**
   * Queues the remaining work of a stopped or failed run again, and confirms the run for this database. @returns number
   * of tasks; null if the run is running or does not exist
   */
  resume(runId: string): Promise<number | null>
  readonly schedules: ScheduleStore
  /** Active alerts of the runs in the queue, for all hosts. */
  readonly alerts: AlertStore
  /** The queue from the view of one worker. */
  worker(about: WorkerAbout): QueueWorker
}

/**
 * What is recorded about the alert for a lost worker. `reported`: a worker sends it. `sent`: it was sent. `over`: a
 * worker sends its end. `forgotten`: the end was sent. A step that is not confirmed is repeated after `CONFIRM_MS`.
 */
export type LossReport = 'reported' | 'sent' | 'over' | 'forgotten'

/**
 * Result of releasing a task.
 * @property isMine false if another worker already had the task
 * @property goesOn true if the task is queued again; never if the run was requested to stop
 * @property ended the run, if this call ended it: one worker gets it, or none if the reply is lost
 */
export type Released = { readonly isMine: boolean; readonly goesOn: boolean; readonly ended: EndedRun | null }

/** Operations of one worker on the queue. */
export interface QueueWorker {
  /** Sends a heartbeat. @param draining true if it takes no new work @returns true if it was requested to end */
  sendHeartbeat(draining: boolean): Promise<boolean>
  /** Claims a task. @returns null if another worker has the task, or the task has ended */
  claim(key: TaskKey): Promise<ClaimedTask | null>
  /**
   * Reports the progress of a turn, as a heartbeat of the task.
   * @param tables that can be steered, if they changed
   * @returns steering requests; null if another worker has the task now
   */
  progress(
    task: ClaimedTask,
    progress: TurnProgress,
    ledgerRun: string | null,
    tables?: readonly string[],
  ): Promise<TaskRequests | null>
  /** Records the ledger totals of its run, unless newer ones are recorded. @param ageMs age of `totals` */
  count(task: ClaimedTask, totals: LedgerTotals, ageMs: number): Promise<void>
  /** Runs whose ledger totals at their end are not recorded yet, newest first. */
  uncounted(): Promise<readonly UncountedRun[]>
  /**
   * Records a run's final ledger totals. Ignores totals below the recorded ones: then chunks were copied again.
   * @param totals null for a run that the ledger does not have: the totals that its tasks reported stay
   */
  countEnd(run: Pick<UncountedRun, 'runId' | 'endedAt'>, totals: LedgerTotals | null): Promise<void>
  /** Stores the events of this turn for as long as the run is listed. */
  storeEvents(task: ClaimedTask, events: readonly Event[]): Promise<void>
  /** Releases a task, and ends the run with its last task. */
  release(task: ClaimedTask, end: TurnEnd): Promise<Released>
  /** Queues the on-call tasks of its run that are not working. */
  callOthers(task: ClaimedTask): Promise<void>
  /** Releases a task that this worker must not process, and records why. @returns the run, if a stop ended it */
  refuse(task: ClaimedTask, error: ErrorInfo): Promise<EndedRun | null>
  sweep(): Promise<QueueSweep>
  /** Runs with `--alert` that are running, or have an active alert. */
  watch(): Promise<readonly WatchedRun[]>
  /**
   * Records the state of a loss report. Atomic: of concurrent workers one gets true; another worker may get true later,
   * if the report was not confirmed within `CONFIRM_MS`.
   * @param at time of the loss
   * @returns true if this call changed it
   */
  noteLoss(key: TaskKey, at: number, is: LossReport): Promise<boolean>
  /**
   * Claims the failure of a task for one minute, to report it. Atomic: one of concurrent workers gets it.
   * @returns `at`: key for `reported`; `isAgain`: another worker claimed it before, and has possibly not sent it. Null
   * if another worker has it now
   */
  takeFailure(key: TaskKey): Promise<{ readonly at: number; readonly isAgain: boolean } | null>
  /** Marks the failure claimed at that time as reported. */
  reported(key: TaskKey, at: number): Promise<void>
  /**
   * Takes tasks until stopped, as many at a time as the worker's concurrency.
   * @param perform must not throw @param refused ids of runs to exclude
   */
  take(perform: (key: TaskKey) => Promise<void>, refused: () => readonly string[]): Promise<QueueRunner>
  /** Records that the worker has ended. */
  recordEnd(): Promise<void>
}

/**
 * Takes tasks for a worker until it is stopped.
 * @property stop takes no more tasks, and resolves when its tasks have ended
 * @property ended rejects if the runner gave up by itself
 */
export type QueueRunner = { stop(): Promise<void>; readonly ended: Promise<void> }
