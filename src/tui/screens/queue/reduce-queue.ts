/** State changes of the queue: answers, and opening and leaving its screens. */
import type { State } from '../../state/state.ts'
import { runOfLine, runOfSchedule, scheduleAtCursor, workerAtCursor } from './queue-rows.ts'
import { FIRST_ROW, type QueueAction, type QueueShown, type QueueView } from './queue-shown.ts'

export function reduceQueue(state: State, action: QueueAction): State {
  const { queue } = state
  if (queue === null) return state
  switch (action.type) {
    case 'queue-seen': {
      const { seen, runId, now } = action
      const { runs, workers, schedules, run } = seen
      const next: QueueShown = {
        ...queue,
        error: null,
        now: seen.now,
        receivedAt: {
          runs: runs === null ? queue.receivedAt.runs : now,
          workers: workers === null ? queue.receivedAt.workers : now,
          schedules: schedules === null ? queue.receivedAt.schedules : now,
          run: run === null ? queue.receivedAt.run : now,
        },
        program: seen.program,
        ...(runs === null ? {} : { runs }),
        ...(workers === null ? {} : { workers }),
        ...(schedules === null ? {} : { schedules }),
        ...(run === null || runId === null ? {} : { run: { ...run, runId } }),
      }
      return { ...state, now, queue: next }
    }
    case 'queue-away':
      return { ...state, queue: { ...queue, error: action.error } }
    case 'queue-workers':
      return {
        ...state,
        queue: { ...queue, workers: action.workers, receivedAt: { ...queue.receivedAt, workers: action.now } },
      }
    case 'queue-schedules':
      return {
        ...state,
        queue: { ...queue, schedules: action.schedules, receivedAt: { ...queue.receivedAt, schedules: action.now } },
      }
    case 'queue-ordered': {
      const { runId, options: requests } = action
      const before = queue.sent?.runId === runId ? queue.sent.options : {}
      return { ...state, queue: { ...queue, sent: { runId, options: { ...before, ...requests } } } }
    }
    case 'queue-noted': {
      const { run } = action
      if (run === null) return { ...state, queue: { ...queue, sent: null } }
      const runs = queue.runs.map((one) => (one.runId === run.runId ? run : one))
      const open = queue.run?.runId === run.runId ? { ...queue.run, found: run } : queue.run
      return { ...state, queue: { ...queue, sent: null, runs, run: open } }
    }
  }
}

/** Opens a screen of the queue. `esc` then returns to the queue screen that was open, else to the Runs screen. */
export function openedQueue(state: State, view: QueueView): State {
  const { queue } = state
  if (queue === null) return state
  const within = state.screen === 'queue' ? queue.trail.filter(({ kind }) => kind !== view.kind) : []
  return {
    ...state,
    screen: 'queue',
    runs: { ...state.runs, open: null },
    queue: { ...queue, trail: [...within, view] },
  }
}

export const openedWorkers = (state: State): State => openedQueue(state, { kind: 'workers', at: FIRST_ROW })

export const openedSchedules = (state: State): State => openedQueue(state, { kind: 'schedules', at: FIRST_ROW })

/** `enter` on a schedule: opens its active run, or its last one. */
export function openedFromSchedule(state: State): State {
  const runId = runOfSchedule(scheduleAtCursor(state))
  return runId === null ? state : openedRun(state, runId)
}

export const openedRun = (state: State, runId: string): State =>
  openedQueue(state, { kind: 'run', runId, at: FIRST_ROW })

/** `enter` on a worker: opens the run that it works on. */
export function openedFromWorker(state: State): State {
  const line = workerAtCursor(state)
  const runId = line === null ? null : runOfLine(line)
  return runId === null ? state : openedRun(state, runId)
}

/** `esc`: goes to the outer screen, or to the list of runs. */
export function leftQueue(state: State): State {
  const { queue } = state
  const trail = queue?.trail.slice(0, -1) ?? []
  return { ...state, screen: trail.length === 0 ? 'runs' : 'queue', queue: queue === null ? null : { ...queue, trail } }
}
