/**
 * What is shown of a queue of workers. Its times are those of its database; ages count from `now`, which comes with
 * each answer.
 */
import type { QueueSeen, SharedRun } from '../../../app/workbench.ts'
import {
  LOST_AFTER_MS,
  SILENT_AFTER_MS,
  takesFrom,
  type RunWishes,
  type Slot,
  type WorkerRow,
} from '../../../model/share/distributed.ts'
import type { ScheduleEvent } from '../../../model/share/schedule-events.ts'
import type { ErrorInfo } from '../../../shared/errors.ts'

/** Where one is in a list whose rows are known by keys. `index` says what is chosen once the row is gone. */
export type KeyedPosition = { readonly key: string | null; readonly index: number; readonly top: number }
export const FIRST_ROW: KeyedPosition = { key: null, index: 0, top: 0 }

/** A screen of the queue. */
export type QueueView =
  | { readonly kind: 'workers'; readonly at: KeyedPosition }
  | { readonly kind: 'schedules'; readonly at: KeyedPosition }
  | { readonly kind: 'run'; readonly runId: string; readonly at: KeyedPosition }

/** What is told of a queue by itself: each has the time of its own last answer. */
export type QueueList = 'runs' | 'workers' | 'schedules' | 'run'

export type QueueShown = {
  /** URL without password. */
  readonly label: string
  /** Why the last question was not answered; null where it was, or none was asked yet. */
  readonly error: ErrorInfo | null
  /** Of the newest answer, by the clock of the queue's database; null before there is one. */
  readonly now: number | null
  /** When each was last told, by our clock; null before it was. */
  readonly heardAt: Readonly<Record<QueueList, number | null>>
  /** Of workers that take what is begun by this program. */
  readonly program: string | null
  /** Newest first. */
  readonly runs: readonly SharedRun[]
  readonly workers: readonly WorkerRow[]
  /** Null before they are read. */
  readonly schedules: readonly ScheduleEvent[] | null
  /** The run whose screen is open, as it was last told; `found` is null where the queue does not know it. */
  readonly run: { readonly runId: string; readonly found: SharedRun | null; readonly slots: readonly Slot[] } | null
  /** What was ordered here and the queue has not noted yet. */
  readonly sent: { readonly runId: string; readonly wishes: RunWishes } | null
  /** Screens that are open, the innermost last. */
  readonly trail: readonly QueueView[]
}

export type QueueAction =
  | { readonly type: 'queue-seen'; readonly runId: string | null; readonly seen: QueueSeen; readonly now: number }
  | { readonly type: 'queue-away'; readonly error: ErrorInfo; readonly now: number }
  | { readonly type: 'queue-ordered'; readonly runId: string; readonly wishes: RunWishes }
  /** @property run as the queue has it with what was ordered; null where it was not noted */
  | { readonly type: 'queue-noted'; readonly run: SharedRun | null }
  | { readonly type: 'queue-workers'; readonly workers: readonly WorkerRow[]; readonly now: number }
  | { readonly type: 'queue-schedules'; readonly schedules: readonly ScheduleEvent[]; readonly now: number }

export function freshQueue(label: string): QueueShown {
  return {
    label,
    error: null,
    now: null,
    heardAt: { runs: null, workers: null, schedules: null, run: null },
    program: null,
    runs: [],
    workers: [],
    schedules: null,
    run: null,
    sent: null,
    trail: [],
  }
}

/** A run with what was ordered here and is on its way. */
export function withSent(run: SharedRun, { sent }: Pick<QueueShown, 'sent'>): SharedRun {
  return sent?.runId === run.runId ? { ...run, wishes: { ...run.wishes, ...sent.wishes } } : run
}

/** How old what is told at `at` is, ms; null before there is an answer. */
export function ageOf(at: number | null, { now }: Pick<QueueShown, 'now'>): number | null {
  return at === null || now === null ? null : Math.max(0, now - at)
}

/** How a slot stands: nothing that was not heard of lately is told as at work. */
export type SlotWord =
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

export function slotWord(slot: Slot, run: SharedRun, queue: QueueShown): SlotWord {
  const { state, exitCode, error } = slot
  // It is called again when there is something to copy or to compare.
  if (state === 'ended' && slot.onCall && exitCode === 0 && run.status === 'running') return 'on call'
  // Another slot did the rest.
  if (state === 'ended' && exitCode === null && error === null) return 'ended'
  if (state === 'ended') return exitCode === 0 ? 'ok' : exitCode === STOPPED ? 'stopped' : 'failed'
  if (queue.error !== null) return 'not known'
  if (state === 'queued') return error === null ? 'waits' : 'rests'
  const age = ageOf(slot.beatAt, queue)
  if (slot.isLost || (age !== null && age >= LOST_AFTER_MS)) return 'lost'
  if (age !== null && age >= SILENT_AFTER_MS) return 'silent'
  return run.wishes.held === true && hasHeard(slot, run) && slot.rate === 0 ? 'paused' : 'working'
}

const STOPPED = 75

/** Whether its worker has beaten since the newest order was noted, and so was told of it. */
function hasHeard({ beatAt }: Slot, { wishes: { orderedAt } }: SharedRun): boolean {
  return orderedAt === undefined || (beatAt !== null && beatAt > orderedAt)
}

/** Of these slots, how many have not heard the newest order. */
export function deafSlots(slots: readonly Slot[], run: SharedRun): number {
  return slots.filter((slot) => !hasHeard(slot, run)).length
}

/** Whether a slot moves rows now, as far as anybody knows. */
export const isAtWork = (word: SlotWord): boolean => word === 'working' || word === 'paused'

/** How a worker stands, by the same rule. */
export type WorkerWord = 'lives' | 'draining' | 'silent' | 'lost' | 'ended' | 'not known'

export function workerWord({ state, beatAt }: WorkerRow, queue: QueueShown): WorkerWord {
  if (state === 'ended') return 'ended'
  if (queue.error !== null) return 'not known'
  if (state === 'lost') return 'lost'
  const age = ageOf(beatAt, queue)
  return age !== null && age >= SILENT_AFTER_MS ? 'silent' : state
}

/** How a run stands in a word, by what the list knows of it. */
export type SharedWord =
  'running' | 'waits' | 'pausing' | 'paused' | 'stopping' | 'not known' | 'ok' | 'failed' | 'refused' | 'stopped'

/** @param slots where they are known: until the last one has let go, a run is only pausing */
export function sharedWord(run: SharedRun, queue: QueueShown, slots: readonly Slot[] | null = null): SharedWord {
  const { status, wishes } = run
  if (status !== 'running') return status
  if (queue.error !== null) return 'not known'
  if (wishes.stop === true) return 'stopping'
  if (run.isUnconfirmed) return 'paused'
  if (wishes.held === true) {
    const words = slots?.map((slot) => slotWord(slot, run, queue))
    const isMoving = words === undefined ? run.rate > 0 : words.includes('working') || words.includes('silent')
    return isMoving ? 'pausing' : 'paused'
  }
  return held(run, queue, slots) === 0 ? 'waits' : 'running'
}

/** Slots that a worker has which is not lost, by the slots where they are known. */
function held(run: SharedRun, queue: QueueShown, slots: readonly Slot[] | null): number {
  if (slots === null || slots.length === 0) return run.slots.working - run.slots.lost
  return slots.filter((slot) => isHeld(slot, run, queue)).length
}

/** Whether a worker has it that is not lost: it is told of orders. */
export function isHeld(slot: Slot, run: SharedRun, queue: QueueShown): boolean {
  return slot.state === 'working' && slotWord(slot, run, queue) !== 'lost'
}

/** Rows a second of the slots that were heard of lately. */
export function rateOfSlots(slots: readonly Slot[], run: SharedRun, queue: QueueShown): number {
  return slots.reduce((sum, slot) => (isAtWork(slotWord(slot, run, queue)) ? sum + slot.rate : sum), 0)
}

/** Workers that live and would take slots of a run. */
export function takers(run: SharedRun, queue: QueueShown): readonly WorkerRow[] {
  return queue.workers.filter((worker) => workerWord(worker, queue) === 'lives' && takesFrom(worker, run))
}
