/**
 * Lists of the queue's screens: rows and cursor. For a new list, add a kind of view, and an entry here and in `view`.
 */
import type { SharedRun } from '../../../app/workbench.ts'
import type { ScheduleEvent } from '../../../model/share/schedule-events.ts'
import type { TaskRow, WorkerRow } from '../../../model/share/distributed.ts'
import { moveIndex, scrollTop, type Move } from '../../state/position.ts'
import type { State } from '../../state/state.ts'
import { queueView, shownTasks } from './queue-open.ts'
import { type KeyedPosition, type QueueShown, type QueueView } from './queue-shown.ts'

/** A worker process, or one of its tasks. */
export type WorkerLine = {
  readonly key: string
  readonly worker: WorkerRow
  readonly slot: WorkerRow['slots'][number] | null
}
export type TaskLine = { readonly key: string; readonly slot: TaskRow }

export function workerRows({ workers }: QueueShown): readonly WorkerLine[] {
  return workers.flatMap((worker) => [
    { key: worker.workerId, worker, slot: null },
    ...worker.slots.map((slot) => ({ key: `${worker.workerId} ${slot.runId}/${slot.no}`, worker, slot })),
  ])
}

export type ScheduleLine = { readonly key: string; readonly schedule: ScheduleEvent }

export function scheduleLines({ schedules }: QueueShown): readonly ScheduleLine[] {
  return (schedules ?? []).map((schedule) => ({ key: schedule.schedule, schedule }))
}

export function taskLines(state: State): readonly TaskLine[] {
  return shownTasks(state).map((slot) => ({ key: String(slot.no), slot }))
}

const ROWS: {
  readonly [K in QueueView['kind']]: (state: State, queue: QueueShown) => readonly { readonly key: string }[]
} = {
  workers: (_state, queue) => workerRows(queue),
  schedules: (_state, queue) => scheduleLines(queue),
  run: (state) => taskLines(state),
}

function keysOf(state: State): readonly string[] {
  const view = queueView(state)
  if (view === null || state.queue === null) return []
  return ROWS[view.kind](state, state.queue).map(({ key }) => key)
}

/** Index of the row under the cursor; -1 if there are no rows. */
export function cursorIn(keys: readonly string[], { key, index }: KeyedPosition): number {
  const found = key === null ? -1 : keys.indexOf(key)
  return found >= 0 ? found : Math.min(Math.max(0, index), keys.length - 1)
}

function atCursor<L extends { readonly key: string }>(lines: readonly L[], at: KeyedPosition): L | null {
  const keys = lines.map(({ key }) => key)
  return lines[cursorIn(keys, at)] ?? null
}

/** The task under the cursor of a run's screen. */
export function taskAtCursor(state: State): TaskRow | null {
  const view = queueView(state)
  if (view?.kind !== 'run') return null
  return atCursor(taskLines(state), view.at)?.slot ?? null
}

/** The line under the cursor of the workers' screen. */
export function workerAtCursor(state: State): WorkerLine | null {
  const view = queueView(state)
  if (view?.kind !== 'workers' || state.queue === null) return null
  return atCursor(workerRows(state.queue), view.at)
}

/** The schedule under the cursor of the schedules' screen. */
export function scheduleAtCursor(state: State): ScheduleEvent | null {
  const view = queueView(state)
  if (view?.kind !== 'schedules' || state.queue === null) return null
  return atCursor(scheduleLines(state.queue), view.at)?.schedule ?? null
}

/** The active run of a schedule, or its last one. */
export const runOfSchedule = (schedule: ScheduleEvent | null): string | null =>
  schedule?.running ?? schedule?.lastRun ?? null

/** The run of a line; for a worker process with several tasks, the run of the first task. */
export const runOfLine = ({ worker, slot }: WorkerLine): string | null => (slot ?? worker.slots[0])?.runId ?? null

/** Name of a run in lists: operation and subject. */
export const nameOfRun = ({ kind, about }: Pick<SharedRun, 'kind' | 'about'>): string =>
  about === '' ? kind : `${kind} ${about}`

function withView(state: State, at: KeyedPosition): State {
  const view = queueView(state)
  if (view === null || state.queue === null) return state
  const trail = [...state.queue.trail.slice(0, -1), { ...view, at }]
  return { ...state, queue: { ...state.queue, trail } }
}

/** @param height visible rows of the list */
export function moveInQueue(state: State, move: Move, height: number): State {
  const view = queueView(state)
  const keys = keysOf(state)
  if (view === null || keys.length === 0) return state
  const index = moveIndex(cursorIn(keys, view.at), move, keys.length, height)
  return withView(state, { key: keys[index] ?? null, index, top: scrollTop(view.at.top, index, keys.length, height) })
}

/** Keeps the cursor on an existing, visible row. */
export function keepQueueCursor(state: State, height: number): State {
  const view = queueView(state)
  if (view === null) return state
  const keys = keysOf(state)
  if (keys.length === 0) return state
  const index = cursorIn(keys, view.at)
  const key = keys[index] ?? null
  const top = scrollTop(view.at.top, index, keys.length, height)
  const isSame = key === view.at.key && index === view.at.index && top === view.at.top
  return isSame ? state : withView(state, { key, index, top })
}
