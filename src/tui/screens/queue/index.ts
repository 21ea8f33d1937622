/** The screens of a queue: workers, schedules, and a shared run. They are opened from the Runs screen. */
import type { State } from '../../state/state.ts'
import type { Copied, ScreenEntry } from '../screen.ts'
import { queueView } from './queue-open.ts'
import { moveInQueue, scheduleAtCursor, keepQueueCursor, workerAtCursor } from './queue-rows.ts'
import { leftQueue } from './reduce-queue.ts'
import { queueCrumbs, queueHeight, queueScreen } from './view.ts'

const HELP = { workers: 'Workers', schedules: 'Schedules', run: 'Run of a queue' } as const

/**
 * Text to copy: the id of a run, for `sluice ctl` and `sluice runs --distributed`; the host of a worker; the command of
 * a schedule.
 */
function copied(state: State): Copied | null {
  const view = queueView(state)
  if (view?.kind === 'run') return { text: view.runId, what: 'run id' }
  const schedule = scheduleAtCursor(state)
  if (schedule !== null) return { text: schedule.command, what: 'command' }
  const line = workerAtCursor(state)
  return line === null ? null : { text: line.worker.host, what: 'host' }
}

export const QUEUE: ScreenEntry = {
  title: 'Queue',
  under: 'runs',
  // A new session begins with the list of runs, from which the user opens the queue.
  next: 'runs',
  keys: ['RUN screen', 'MOVE', 'PROGRAM', 'FIND AND SORT', 'DIALOGS'],
  helpTitle: (state) => HELP[queueView(state)?.kind ?? 'run'],
  draw: queueScreen,
  crumbs: queueCrumbs,
  move: (state, move) => moveInQueue(state, move, queueHeight(state)),
  keepCursor: (_before, after) => (after.screen === 'queue' ? keepQueueCursor(after, queueHeight(after)) : after),
  back: leftQueue,
  copied,
}
