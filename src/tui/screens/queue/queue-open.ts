/** The open screen of a queue, and its run with the tasks. */
import type { SharedRun } from '../../../app/workbench.ts'
import type { TaskRow } from '../../../model/share/distributed.ts'
import type { State } from '../../state/state.ts'
import { withSent, type QueueView } from './queue-shown.ts'

/** The open screen of the queue, or null. */
export function queueView({ screen, queue }: State): QueueView | null {
  return screen === 'queue' ? (queue?.trail.at(-1) ?? null) : null
}

/** The run of the open screen, including pending steering requests; null until read, or if the queue lacks the run. */
export function shownRun(state: State): SharedRun | null {
  const view = queueView(state)
  const { queue } = state
  if (view?.kind !== 'run' || queue === null) return null
  const reported =
    queue.run?.runId === view.runId ? queue.run.found : queue.runs.find(({ runId }) => runId === view.runId)
  return reported == null ? null : withSent(reported, queue)
}

/** Tasks of the run; empty until read. */
export function shownTasks(state: State): readonly TaskRow[] {
  const view = queueView(state)
  const { run = null } = state.queue ?? {}
  return view?.kind === 'run' && run?.runId === view.runId ? run.slots : []
}
