/** A run that several machines share: what its rows in the database of a queue say, as plain data. */
import type { ErrorInfo } from '../../shared/errors.ts'
import type { AlertKey } from '../run/alert-memory.ts'
import type { TableHold, TableRetry } from '../run/table-wish.ts'

/**
 * How a shared run stands. `running`: slots of it are queued or worked on. `stopped`: as somebody asked; what is left can be gone on with. The others are
 * ends, as `RunStatus` has them.
 */
export type DistributedStatus = 'running' | 'ok' | 'failed' | 'refused' | 'stopped'

/** `queued`: a job waits for a worker. `working`: a worker has it, and beats. `ended`: nothing of it is left to do in this run. */
export type SlotState = 'queued' | 'working' | 'ended'

/** What people wish of a run while it goes on; each is heeded by whoever works on it. Numbers are of the whole run, and shared out among its slots. */
export type RunWishes = {
  readonly held?: boolean
  /** Rows a second; null is no limit. */
  readonly rate?: number | null
  /** Chunks that are copied at once. */
  readonly workers?: number
  /** Of the slot that has a stream: sessions that apply its changes. */
  readonly lanes?: number
  /** Tables and chunks that are held back. */
  readonly tables?: readonly TableHold[]
  /** What failed of tables is to be tried again; a slot that begins later does that by itself. */
  readonly retries?: readonly TableRetry[]
  /** No slot begins any more, and those that work end after their batch. */
  readonly stop?: boolean
  /** When the newest of them was said: ms since the epoch, by the clock of the queue's database. Absent from runs of older programs. */
  readonly orderedAt?: number
  /** When somebody last went on with it after its end, by the same clock: what was done before is that of an earlier run. */
  readonly resumedAt?: number
}

/** How far the work of one slot has come, in this turn of it. */
export type SlotProgress = {
  readonly rows: bigint
  readonly chunks: number
  /** Rows a second, of the last seconds. */
  readonly rate: number
}

/** A chunk that a slot works on. @property stoodMs for how long it has come no further, when that was reported */
export type StoodChunk = { readonly table: string; readonly chunk: string; readonly stoodMs: number }

/**
 * @property open of `rows`, those of work that is not ended: where the turn ends there, the next one does it again
 * @property standing chunks that it works on; at most `MOST_STANDING`
 */
export type TurnProgress = SlotProgress & { readonly open: bigint; readonly standing?: readonly StoodChunk[] }

/** Chunks of one slot that its queue knows. */
export const MOST_STANDING = 64

/** What the ledger of the target has of a shared run: rows and chunks that are closed, each once. @property at when it was read, ms since the epoch by the clock of the ledger's database */
export type LedgerTotals = { readonly rows: bigint; readonly chunks: number; readonly at: number }

/** Turns of a slot in a row that have failed for one passing cause. @property cause the error of the last of them; null where it is not known */
export type Rested = { readonly times: number; readonly cause: ErrorInfo | null }

/** How often in a row a slot has rested for the cause of this error. A server that is away is another cause than one that refuses the login. */
export function restsFor({ times, cause }: Rested, error: ErrorInfo | undefined): number {
  return cause !== null && cause.code === error?.code && cause.retryable === error.retryable ? times : 0
}

/** How a turn of a slot ended: what is left of it is queued again, after a rest where it failed for a passing cause, or it is over. */
export type SlotEnd = {
  readonly left: 'queue' | 'rest' | 'none'
  readonly exitCode: number
  readonly error?: ErrorInfo
  /** No program of the slot has reported the error to the alerts of its run. */
  readonly isUnworked?: boolean
  /** Its program stood still and was killed: alerts call the slot lost. */
  readonly isLost?: boolean
}

/** A slot that a worker has, for whoever listens to it. @property sharedRun as `EndedRun` has it */
export type HeardSlot = { readonly runId: string; readonly no: number; readonly sharedRun: string }

/** A run that has ended, as whoever noted its end knows it. Times are ms since the epoch, by the clock of the queue's database. */
export type EndedRun = Pick<DistributedRun, 'runId' | 'kind' | 'source' | 'target' | 'program'> & {
  /** The same for all slots, until somebody goes on with the run after its end. */
  readonly sharedRun: string
  /** When it was submitted, or somebody went on with it last. */
  readonly from: number
  readonly endedAt: number
  readonly status: Exclude<DistributedStatus, 'running'>
  readonly exitCode: number
  readonly error: ErrorInfo | null
}

/** A slot that ended with an error outside of any program of it. @property operation with names of stores in place of URLs */
export type UnworkedFailure = { readonly no: number; readonly operation: unknown; readonly error: ErrorInfo }

/** A slot as its row has it. Times are ms since the epoch, by the clock of the queue's database. */
export type Slot = SlotProgress & {
  readonly runId: string
  readonly no: number
  /** What it works on, where the slots of a run differ. */
  readonly about: string
  readonly state: SlotState
  /** It copies and compares for the slot that has a stream, whenever that calls it. */
  readonly onCall: boolean
  /** Turns that were begun. */
  readonly turns: number
  readonly workerId: string | null
  readonly host: string | null
  /** Run of the ledger or the catalog that its newest turn is. */
  readonly ledgerRun: string | null
  readonly beatAt: number | null
  /** Whether its worker was heard of within `LOST_AFTER_MS`. */
  readonly isLost: boolean
  /** Null until it has ended, and of one that ended while it waited, because another slot did the rest. */
  readonly exitCode: number | null
  readonly error: ErrorInfo | null
}

/** A run as its row has it, with its slots counted. Rows and chunks of a copy are those of the target's ledger; of other commands the sums of what the slots reported last, where a slot that goes on with an import counts from the beginning of the run. */
export type DistributedRun = SlotProgress & {
  readonly runId: string
  readonly kind: string
  readonly commandLine: string
  /** With names of stores in place of URLs; one of a newer program may be none that this one knows. */
  readonly operation: unknown
  /** Queue that its slots wait in; null is that of every worker without names. */
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
  readonly wishes: RunWishes
  readonly slots: {
    readonly queued: number
    readonly working: number
    readonly ended: number
    /** Of those that work: slots whose worker was not heard of within `LOST_AFTER_MS`. */
    readonly lost: number
  }
  /** When the ledger was read last, by its clock, where that was before the end of the run: rows and chunks may be more. Null otherwise. */
  readonly countedAt: number | null
  /** Workers that have refused it, with why. */
  readonly refusals: readonly { readonly host: string; readonly error: ErrorInfo }[]
  /** Runs of ledger, catalog and book that the newest turns of its slots are. */
  readonly slotRuns: readonly string[]
  /** Slots of it are queued, and no worker lives that takes them. */
  readonly isWaiting: boolean
  /** It was put into another database, of which this one is a copy, and begins nothing before it is confirmed here. */
  readonly isUnconfirmed: boolean
}

/** A worker as its row has it. */
export type WorkerRow = {
  readonly workerId: string
  readonly host: string
  readonly pid: number
  readonly program: string
  readonly concurrency: number
  /** Names of queues that it takes from; where there are none, it takes what was queued without a name. */
  readonly queues: readonly string[]
  readonly begunAt: number
  readonly beatAt: number
  /** `lives`: heard of lately. `draining`: it takes nothing new. `silent`: not heard of for `SILENT_AFTER_MS`. `lost`: for `LOST_AFTER_MS`. `ended`: it reported its end. */
  readonly state: 'lives' | 'draining' | 'silent' | 'lost' | 'ended'
  readonly slots: readonly { readonly runId: string; readonly no: number; readonly rate: number }[]
}

/** How a queue stands by the clock of its database, the same whichever worker asks. */
export type QueueStand = {
  /** Workers that have not ended, by when they were heard of: `lives` lately, `silent`, `lost` as in `WorkerRow`, within the last day. */
  readonly workers: Readonly<Record<'lives' | 'silent' | 'lost', number>>
  /** Slots of runs that go on; `lost` are those of `working` whose worker is. */
  readonly slots: Readonly<Record<'queued' | 'working' | 'lost', number>>
  /** Runs of which slots are queued, and no worker lives that takes them. */
  readonly waiting: number
  /** Schedules that begin nothing before they are confirmed in this database. */
  readonly unconfirmed: number
  /** The same of runs. */
  readonly unconfirmedRuns: number
  /** Schedules that begin nothing, because their command cannot be read or is not the one that was confirmed. */
  readonly refusedSchedules: number
  /** Age of the oldest last heartbeat among slots that are worked on, ms; 0 without any. */
  readonly oldestBeatMs: number
}

/** Whether a worker takes slots of a run: it is of the same program, and takes from the queue that they wait in. */
export function takesFrom(
  worker: Pick<WorkerRow, 'program' | 'queues'>,
  { program, queue }: { readonly program: string; readonly queue: string | null },
): boolean {
  return worker.program === program && takesFromQueue(worker.queues, queue)
}

/** Whether a worker of these queues takes what waits in one; null is that of workers without names of queues. */
export function takesFromQueue(queues: readonly string[], queue: string | null): boolean {
  return queue === null ? queues.length === 0 : queues.includes(queue)
}

/** A run with `--alert`, as the workers that watch it see it. Times are ms since the epoch by the clock of the queue's database. */
export type WatchedRun = {
  readonly runId: string
  readonly operation: unknown
  /** What the names of its stores mean. */
  readonly stores: readonly { readonly name: string; readonly identity: string }[]
  readonly status: DistributedStatus
  readonly isHeld: boolean
  /** It has ended, and a later run of the same command ended well. */
  readonly isMended: boolean
  /** When it was read. */
  readonly now: number
  /** Slots that work, and were not heard of for `SILENT_AFTER_MS`. */
  readonly silent: readonly SilentSlot[]
  /** Slots that were taken from a lost worker, until that is reported and over. `isBack`: that worker has the slot again; null where it was not noted. `isKilled`: its worker lives, and has killed the program. */
  readonly lost: readonly (SilentSlot & {
    readonly at: number
    readonly state: SlotState
    readonly isBack: boolean | null
    readonly isKilled?: boolean
  })[]
  readonly alerts: readonly StandingAlert[]
  /** Failures that no worker has reported. */
  readonly unreported: readonly UnworkedFailure[]
  /** Version of the workers that it waits for, where none was heard of for `LOST_AFTER_MS`; null while one was. */
  readonly waitsFor: string | null
}

/** A run that has ended since its ledger was read. @property endedAt ms since the epoch by the clock of the queue's database @property until the same by the clock of the ledger's */
export type UncountedRun = Pick<WatchedRun, 'runId' | 'operation' | 'stores'> & {
  readonly endedAt: number
  readonly until: number
}

/** @property beatAt when it was heard of last @property chunks that it worked on then */
export type SilentSlot = {
  readonly no: number
  readonly host: string | null
  readonly beatAt: number
  readonly chunks: readonly StoodChunk[]
}

/** An alert of a run that stands. @property chunks that it is about, and that have not moved since */
export type StandingAlert = AlertKey & { readonly since: number; readonly chunks: readonly string[] }

/** A worker beats so often. */
export const BEAT_MS = 2_000
/** Who was not heard of for so long is called silent, and counts in no rate. */
export const SILENT_AFTER_MS = 7_000
/** Who was not heard of for so long is taken for gone: what it had is queued again. As long as a lease of a chunk. */
export const LOST_AFTER_MS = 30_000
/** Each worker looks so often for slots that nobody has: what a lost one had is taken within `TAKEN_OVER_MS` of its last beat. */
export const SWEEP_MS = 2_000
export const TAKEN_OVER_MS = 35_000
/** A slot that can go on where it was is given back after so long, so that runs and workers take turns. */
export const TURN_MS = 5 * 60_000
/** A run that every worker refuses ends when none that could take it was heard of for so long. */
export const REFUSED_FOR_MS = 60_000
