/** State of a queue of worker processes. Times are by the clock of its database; ages are relative to `now`. */
import type { QueueSeen, SharedRun } from '../../../app/workbench.ts'
import {
  LOST_AFTER_MS,
  SILENT_AFTER_MS,
  takesFrom,
  type RunRequests,
  type TaskRow,
  type WorkerRow,
} from '../../../model/share/distributed.ts'
import type { ScheduleEvent } from '../../../model/share/schedule-events.ts'
import type { ErrorInfo } from '../../../shared/errors.ts'

/**
 * Cursor of a list whose rows have keys. If the row with the key no longer exists, `index` decides which row is chosen.
 */
export type KeyedPosition = { readonly key: string | null; readonly index: number; readonly top: number }
export const FIRST_ROW: KeyedPosition = { key: null, index: 0, top: 0 }

/** A screen of the queue. */
export type QueueView =
  | { readonly kind: 'workers'; readonly at: KeyedPosition }
  | { readonly kind: 'schedules'; readonly at: KeyedPosition }
  | { readonly kind: 'run'; readonly runId: string; readonly at: KeyedPosition }

/** Parts of a queue that are refreshed separately. */
export type QueueList = 'runs' | 'workers' | 'schedules' | 'run'

export type QueueShown = {
  /** URL without password. */
  readonly label: string
  /** Error of the last request to the queue; null if it succeeded, or before the first one. */
  readonly error: ErrorInfo | null
  /** Time of the newest answer by the clock of the queue's database; null before the first. */
  readonly now: number | null
  /** When each part was last received, by the local clock; null before the first time. */
  readonly receivedAt: Readonly<Record<QueueList, number | null>>
  /** Version of worker processes that can take runs started by this program. */
  readonly program: string | null
  /** Runs of the queue, newest first. */
  readonly runs: readonly SharedRun[]
  readonly workers: readonly WorkerRow[]
  /** Null until read. */
  readonly schedules: readonly ScheduleEvent[] | null
  /** The run of the open screen; `found` is null if the queue has no such run. */
  readonly run: { readonly runId: string; readonly found: SharedRun | null; readonly slots: readonly TaskRow[] } | null
  /** Steering requests sent, but not yet stored by the queue. */
  readonly sent: { readonly runId: string; readonly options: RunRequests } | null
  /** Open screens, the innermost last. */
  readonly trail: readonly QueueView[]
}

export type QueueAction =
  | { readonly type: 'queue-seen'; readonly runId: string | null; readonly seen: QueueSeen; readonly now: number }
  | { readonly type: 'queue-away'; readonly error: ErrorInfo; readonly now: number }
  | { readonly type: 'queue-ordered'; readonly runId: string; readonly options: RunRequests }
  /** @property run the run with the stored request; null if it was not stored */
  | { readonly type: 'queue-noted'; readonly run: SharedRun | null }
  | { readonly type: 'queue-workers'; readonly workers: readonly WorkerRow[]; readonly now: number }
  | { readonly type: 'queue-schedules'; readonly schedules: readonly ScheduleEvent[]; readonly now: number }

export function freshQueue(label: string): QueueShown {
  return {
    label,
    error: null,
    now: null,
    receivedAt: { runs: null, workers: null, schedules: null, run: null },
    program: null,
    runs: [],
    workers: [],
    schedules: null,
    run: null,
    sent: null,
    trail: [],
  }
}

/** A run including steering requests that are pending. */
export function withSent(run: SharedRun, { sent }: Pick<QueueShown, 'sent'>): SharedRun {
  return sent?.runId === run.runId ? { ...run, wishes: { ...run.wishes, ...sent.options } } : run
}

/** Age of `at`, ms; null before the first answer. */
export function shownAge(at: number | null, { now }: Pick<QueueShown, 'now'>): number | null {
  return at === null || now === null ? null : Math.max(0, now - at)
}

/**
 * State of a task as it is shown. A task without a recent heartbeat is not shown as working. `waits`: queued; `rests`:
 * queued again after an error; `on call`: ended, and queued again when there is work; `not known`: the queue cannot be
 * reached.
 */
export type TaskWord =
  | 'working'
  | 'paused'
  | 'waits'
  | 'on call'
  | 'rests'
  | 'silent'
  | 'lost'
  | 'not known'
  | 'ended'
  | 'ok'
  | 'stopped'
  | 'failed'

export function taskWord(slot: TaskRow, run: SharedRun, queue: QueueShown): TaskWord {
  const { state, exitCode, error } = slot
  // A task on call is queued again when there is something to copy or compare.
  if (state === 'ended' && slot.onCall && exitCode === 0 && run.status === 'running') return 'on call'
  // Another task completed the remaining work.
  if (state === 'ended' && exitCode === null && error === null) return 'ended'
  if (state === 'ended') return exitCode === 0 ? 'ok' : exitCode === STOPPED ? 'stopped' : 'failed'
  if (queue.error !== null) return 'not known'
  if (state === 'queued') return error === null ? 'waits' : 'rests'
  const age = shownAge(slot.beatAt, queue)
  if (slot.isLost || (age !== null && age >= LOST_AFTER_MS)) return 'lost'
  if (age !== null && age >= SILENT_AFTER_MS) return 'silent'
  return run.wishes.held === true && hasReceived(slot, run) && slot.rate === 0 ? 'paused' : 'working'
}

const STOPPED = 75

/** True if the worker of a task has sent a heartbeat since the newest request, and so has received the request. */
function hasReceived({ beatAt }: TaskRow, { wishes: { orderedAt } }: SharedRun): boolean {
  return orderedAt === undefined || (beatAt !== null && beatAt > orderedAt)
}

/** Number of tasks that have not received the newest request. */
export function unawareTasks(slots: readonly TaskRow[], run: SharedRun): number {
  return slots.filter((slot) => !hasReceived(slot, run)).length
}

/** True if a worker with a recent heartbeat works on the task, so that the rate of the task is current. */
export const isAtWork = (word: TaskWord): boolean => word === 'working' || word === 'paused'

/** State of a worker process as it is shown. A process without a recent heartbeat is not shown as `lives`. */
export type WorkerWord = 'lives' | 'draining' | 'silent' | 'lost' | 'ended' | 'not known'

export function workerWord({ state, beatAt }: WorkerRow, queue: QueueShown): WorkerWord {
  if (state === 'ended') return 'ended'
  if (queue.error !== null) return 'not known'
  if (state === 'lost') return 'lost'
  const age = shownAge(beatAt, queue)
  return age !== null && age >= SILENT_AFTER_MS ? 'silent' : state
}

/** State of a run in one word, from the list of runs. */
export type SharedWord =
  'running' | 'waits' | 'pausing' | 'paused' | 'stopping' | 'not known' | 'ok' | 'failed' | 'refused' | 'stopped'

/** @param slots tasks of the run, null if unknown; a paused run is `pausing` while one of them still works */
export function sharedWord(run: SharedRun, queue: QueueShown, slots: readonly TaskRow[] | null = null): SharedWord {
  const { status, wishes } = run
  if (status !== 'running') return status
  if (queue.error !== null) return 'not known'
  if (wishes.stop === true) return 'stopping'
  if (run.isUnconfirmed) return 'paused'
  if (wishes.held === true) {
    const words = slots?.map((slot) => taskWord(slot, run, queue))
    const isMoving = words === undefined ? run.rate > 0 : words.includes('working') || words.includes('silent')
    return isMoving ? 'pausing' : 'paused'
  }
  return claimedTasks(run, queue, slots) === 0 ? 'waits' : 'running'
}

/** Number of tasks claimed by a worker that is not lost; counted from `slots` if these are known. */
function claimedTasks(run: SharedRun, queue: QueueShown, slots: readonly TaskRow[] | null): number {
  if (slots === null || slots.length === 0) return run.slots.working - run.slots.lost
  return slots.filter((slot) => isTaskHeld(slot, run, queue)).length
}

/** True if the task is claimed by a worker that is not lost, and that therefore receives steering requests. */
export function isTaskHeld(slot: TaskRow, run: SharedRun, queue: QueueShown): boolean {
  return slot.state === 'working' && taskWord(slot, run, queue) !== 'lost'
}

/** Rows per second of tasks with a recent heartbeat. */
export function rateOfTasks(slots: readonly TaskRow[], run: SharedRun, queue: QueueShown): number {
  return slots.reduce((sum, slot) => (isAtWork(taskWord(slot, run, queue)) ? sum + slot.rate : sum), 0)
}

/** Live workers that could take tasks of a run. */
export function availableWorkers(run: SharedRun, queue: QueueShown): readonly WorkerRow[] {
  return queue.workers.filter((worker) => workerWord(worker, queue) === 'lives' && takesFrom(worker, run))
}
