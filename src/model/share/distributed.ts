/** A run shared by several machines: its rows in the database of a queue, as plain data, and when a worker is lost. */
import type { ErrorInfo } from '../../shared/errors.ts'
import type { AlertKey } from '../run/alert.ts'
import type { TableHold, TableRetry } from '../run/table-request.ts'

/**
 * `running`: at least one task is queued or working. `stopped`: on request; can be resumed. The other values are final,
 * as in `RunStatus`.
 */
export type DistributedStatus = 'running' | 'ok' | 'failed' | 'refused' | 'stopped'

/** `queued`: waits for a worker. `working`: a worker has it and sends heartbeats. `ended`: nothing left to do. */
export type TaskState = 'queued' | 'working' | 'ended'

/** Steering requests of a run, applied by its workers. Numbers are for the whole run, and divided among its tasks. */
export type RunRequests = {
  /** True pauses the run, false resumes it. */
  readonly held?: boolean
  /** Rows per second; null is no limit. */
  readonly rate?: number | null
  /** Chunks copied at the same time. */
  readonly workers?: number
  /** For the task of the stream: number of apply workers. */
  readonly lanes?: number
  /** Paused and skipped tables and chunks. */
  readonly tables?: readonly TableHold[]
  /** Failed parts of tables to retry; a task that begins later retries them anyway. */
  readonly retries?: readonly TableRetry[]
  /** True to stop the run: no task begins any more, and running ones end after their batch. */
  readonly stop?: boolean
  /** Time of the newest request: ms since the epoch, clock of the queue's database. Absent for older programs. */
  readonly orderedAt?: number
  /** Time of the last resume after the end of the run, by the same clock: earlier work belongs to an earlier run. */
  readonly resumedAt?: number
}

/** Progress of one task in its current turn. */
export type TaskProgress = {
  readonly rows: bigint
  readonly chunks: number
  /** Rows per second, over the last seconds. */
  readonly rate: number
}

/** A chunk that a task works on. @property stoodMs ms without progress at the time of the report */
export type ActiveChunk = { readonly table: string; readonly chunk: string; readonly stoodMs: number }

/**
 * @property open part of `rows` that belongs to unfinished work: if the turn ends now, the next one repeats it
 * @property standing chunks that the task works on; at most `MOST_ACTIVE_CHUNKS`
 */
export type TurnProgress = TaskProgress & { readonly open: bigint; readonly standing?: readonly ActiveChunk[] }

/** Limit of chunks per task in the queue. */
export const MOST_ACTIVE_CHUNKS = 64

/**
 * Ledger totals of a shared run: closed chunks and their rows, each counted once. @property at time of the read, ms
 * since the epoch by the clock of the ledger's database
 */
export type LedgerTotals = { readonly rows: bigint; readonly chunks: number; readonly at: number }

/** Consecutive turns of a task that failed for one transient cause. @property cause last error; null if unknown */
export type TransientFailures = { readonly times: number; readonly cause: ErrorInfo | null }

/**
 * Number of consecutive turns that ended with a pause for the cause of this error; 0 if the last cause was another one.
 * An unreachable server and a refused login are two causes.
 */
export function failuresFor({ times, cause }: TransientFailures, error: ErrorInfo | undefined): number {
  return cause !== null && cause.code === error?.code && cause.retryable === error.retryable ? times : 0
}

/**
 * End of a turn of a task. `queue`: the remaining work is queued again. `rest`: it is queued again after a pause,
 * because the cause is transient. `none`: no work is left.
 */
export type TurnEnd = {
  readonly left: 'queue' | 'rest' | 'none'
  readonly exitCode: number
  readonly error?: ErrorInfo
  /** Set if no program of the task has reported the error to the alerts of its run. */
  readonly isUnworked?: boolean
  /** Set if its program hung and was killed: alerts then report the task as lost. */
  readonly isLost?: boolean
}

/** The task of an event, for listeners of a worker. @property sharedRun as in `EndedRun` */
export type TaskOfWorker = { readonly runId: string; readonly no: number; readonly sharedRun: string }

/**
 * A run that has ended, as returned to the worker that recorded its end. Times: ms since the epoch, clock of the
 * queue's database.
 */
export type EndedRun = Pick<DistributedRun, 'runId' | 'kind' | 'source' | 'target' | 'program'> & {
  /** Id that is equal for all tasks, until the run is resumed after its end. */
  readonly sharedRun: string
  /** When it was submitted or last resumed. */
  readonly from: number
  readonly endedAt: number
  readonly status: Exclude<DistributedStatus, 'running'>
  readonly exitCode: number
  readonly error: ErrorInfo | null
}

/**
 * Failure of a task that no program of the task could report: none was started, it crashed, or its run had not begun.
 * @property operation with store names instead of URLs
 */
export type UnreportedFailure = { readonly no: number; readonly operation: unknown; readonly error: ErrorInfo }

/** A task row. Times are ms since the epoch, by the clock of the queue's database. */
export type TaskRow = TaskProgress & {
  readonly runId: string
  readonly no: number
  /** Its part of the work, if the tasks of a run differ. */
  readonly about: string
  readonly state: TaskState
  /** True for a task that copies or compares tables whenever the task of the stream requests it. */
  readonly onCall: boolean
  /** Number of turns begun. */
  readonly turns: number
  readonly workerId: string | null
  readonly host: string | null
  /** Run of its newest turn in the ledger or the catalog. */
  readonly ledgerRun: string | null
  readonly beatAt: number | null
  /** True if its worker sent no heartbeat for `LOST_AFTER_MS`. */
  readonly isLost: boolean
  /** Null until the task ends. Also null if it ended while queued, because another task had done the remaining work. */
  readonly exitCode: number | null
  readonly error: ErrorInfo | null
}

/**
 * A run row, with its tasks counted. Rows and chunks of a copy are from the target's ledger. For other commands they
 * are the sums of the last reports of the tasks; a task that resumes an import counts from the beginning of the run.
 */
export type DistributedRun = TaskProgress & {
  readonly runId: string
  readonly kind: string
  readonly commandLine: string
  /** With store names instead of URLs. An operation of a newer program may be unknown to this one. */
  readonly operation: unknown
  /** Queue of its tasks; null is the queue of workers without queue names. */
  readonly queue: string | null
  readonly source: string | null
  readonly target: string | null
  readonly program: string
  readonly actor: string
  readonly host: string
  readonly begunAt: number
  readonly endedAt: number | null
  readonly status: DistributedStatus
  readonly exitCode: number | null
  readonly error: ErrorInfo | null
  readonly wishes: RunRequests
  readonly slots: {
    readonly queued: number
    readonly working: number
    readonly ended: number
    /** Working tasks whose worker sent no heartbeat for `LOST_AFTER_MS`. */
    readonly lost: number
    /** Tasks that share all of the work, as requested with `--tasks`; 0 if each task has its own part. */
    readonly whole: number
  }
  /** Time of the last ledger read, if before the end of the run: final totals may be higher then. Otherwise null. */
  readonly countedAt: number | null
  /** Workers that refused it, with reasons. */
  readonly refusals: readonly { readonly host: string; readonly error: ErrorInfo }[]
  /** Runs of the newest turns of its tasks, in ledger, catalog and run history. */
  readonly slotRuns: readonly string[]
  /** True if tasks are queued, and no live worker takes them. */
  readonly isWaiting: boolean
  /**
   * True if the run was queued in another database, of which this one is a copy: nothing begins until it is confirmed
   * here.
   */
  readonly isUnconfirmed: boolean
}

/** A worker row. */
export type WorkerRow = {
  readonly workerId: string
  readonly host: string
  readonly pid: number
  readonly program: string
  readonly concurrency: number
  /** Queues that it takes work from; if empty, work queued without a name. */
  readonly queues: readonly string[]
  readonly begunAt: number
  readonly beatAt: number
  /**
   * `lives`: recent heartbeat. `draining`: takes no new work. `silent`: no heartbeat for `SILENT_AFTER_MS`. `lost`: no
   * heartbeat for `LOST_AFTER_MS`. `ended`: it reported its end.
   */
  readonly state: 'lives' | 'draining' | 'silent' | 'lost' | 'ended'
  readonly slots: readonly { readonly runId: string; readonly no: number; readonly rate: number }[]
}

/** State of a queue by the clock of its database, equal for every worker. */
export type QueueState = {
  /** Counts of workers that have not ended and were seen in the last day, by the states of `WorkerRow`. */
  readonly workers: Readonly<Record<'lives' | 'silent' | 'lost', number>>
  /** Tasks of running runs; `lost`: `working` tasks whose worker is lost. */
  readonly slots: Readonly<Record<'queued' | 'working' | 'lost', number>>
  /** Runs with queued tasks that no live worker takes. */
  readonly waiting: number
  /** Schedules that begin nothing until they are confirmed in this database. */
  readonly unconfirmed: number
  /** Runs that begin nothing until they are confirmed in this database. */
  readonly unconfirmedRuns: number
  /** Schedules that begin nothing because their command cannot be parsed or differs from the confirmed one. */
  readonly refusedSchedules: number
  /** Longest time since the last heartbeat of a working task, ms; 0 if no task is working. */
  readonly oldestBeatMs: number
}

/** True if a worker can take tasks of a run: same program version, and matching queue. */
export function takesFrom(
  worker: Pick<WorkerRow, 'program' | 'queues'>,
  { program, queue }: { readonly program: string; readonly queue: string | null },
): boolean {
  return worker.program === program && takesFromQueue(worker.queues, queue)
}

/** True if a worker of these queues takes work of `queue`; null is the queue of workers without queue names. */
export function takesFromQueue(queues: readonly string[], queue: string | null): boolean {
  return queue === null ? queues.length === 0 : queues.includes(queue)
}

/** A run with `--alert`, for its monitoring workers. Times: ms since the epoch, clock of the queue's database. */
export type WatchedRun = {
  readonly runId: string
  readonly operation: unknown
  /** Identities of its stores, by name. */
  readonly stores: readonly { readonly name: string; readonly identity: string }[]
  readonly status: DistributedStatus
  /** True if the run is paused on request. */
  readonly isHeld: boolean
  /** True if the run ended, and a later run of the same command succeeded. */
  readonly isMended: boolean
  /** Time at which this row was read. */
  readonly now: number
  /** Working tasks without a heartbeat for `SILENT_AFTER_MS`. */
  readonly silent: readonly SilentTask[]
  /**
   * Tasks that were taken from a lost worker; listed until the start and the end of the loss are reported. `isBack`:
   * true if that worker has the task again; null if not recorded. `isKilled`: the worker is alive, and killed the
   * program.
   */
  readonly lost: readonly (SilentTask & {
    readonly at: number
    readonly state: TaskState
    readonly isBack: boolean | null
    readonly isKilled?: boolean
  })[]
  readonly alerts: readonly RecordedAlert[]
  /** Failures that no worker has reported. */
  readonly unreported: readonly UnreportedFailure[]
  /**
   * Program version of the run, if no live worker has taken its tasks within `LOST_AFTER_MS` after its start; otherwise
   * null.
   */
  readonly waitsFor: string | null
}

/**
 * A run whose ledger totals at its end are not recorded yet.
 * @property endedAt ms since the epoch by the clock of the queue's database
 * @property endedMsAgo age of that end when the queue was read
 */
export type UncountedRun = Pick<WatchedRun, 'runId' | 'operation' | 'stores'> & {
  readonly endedAt: number
  readonly endedMsAgo: number
}

/** A task without a recent heartbeat. @property beatAt last heartbeat @property chunks that it worked on then */
export type SilentTask = {
  readonly no: number
  readonly host: string | null
  readonly beatAt: number
  readonly chunks: readonly ActiveChunk[]
}

/** An active alert of a run. @property chunks affected chunks that made no progress since its start */
export type RecordedAlert = AlertKey & { readonly since: number; readonly chunks: readonly string[] }

/** Interval of heartbeats. */
export const HEARTBEAT_MS = 2_000
/** Age of the last heartbeat after which a worker is silent, and its rate is ignored. */
export const SILENT_AFTER_MS = 7_000
/** Age after which a worker is lost, and its tasks are queued again. Equals the lease of a chunk. */
export const LOST_AFTER_MS = 30_000
/** Interval at which each worker searches for tasks of lost workers. */
export const SWEEP_MS = 2_000
/**
 * Maximum time from the last heartbeat of a lost worker until another worker can claim its tasks. @internal for tests
 */
export const TAKEN_OVER_MS = 35_000
/** A resumable task is released after this time, so that runs and workers alternate. */
export const TASK_TURN_MS = 5 * 60_000
/** A run that every worker refuses ends after this time without a heartbeat of a worker that could take it. */
export const REFUSED_FOR_MS = 60_000
