/** Screens of a queue by kind. For a new list, add an entry here and in `queue-rows`. */
import type { Line } from '../../draw/line.ts'
import { queueView, shownRun, shownTasks } from './queue-open.ts'
import { sharedWord, type QueueView } from './queue-shown.ts'
import type { State } from '../../state/state.ts'
import { sharedRunScreen, tasksHeight } from './run.ts'
import { schedulesHeight, schedulesScreen } from './schedules.ts'
import { workersHeight, workersScreen } from './workers.ts'

type Pane = {
  /** Name in the breadcrumbs. */
  readonly title: (view: QueueView) => string
  readonly draw: (state: State, cells: number) => Line[]
  /** Visible rows of the list. */
  readonly height: (state: State) => number
}

const PANES: Readonly<Record<QueueView['kind'], Pane>> = {
  workers: { title: () => 'workers', draw: workersScreen, height: workersHeight },
  schedules: { title: () => 'schedules', draw: schedulesScreen, height: schedulesHeight },
  run: { title: (view) => (view.kind === 'run' ? view.runId : ''), draw: sharedRunScreen, height: tasksHeight },
}

export function queueScreen(state: State, cells: number): Line[] {
  const view = queueView(state)
  return view === null ? [] : PANES[view.kind].draw(state, cells)
}

/** Rows of the open list. */
export function queueHeight(state: State): number {
  const view = queueView(state)
  return view === null ? 1 : PANES[view.kind].height(state)
}

/** Breadcrumbs of the open screens, such as `Runs › workers › 1795…`. */
export function queueCrumbs({ queue }: State): string {
  return ['Runs', ...(queue?.trail ?? []).map((view) => PANES[view.kind].title(view))].join(' › ')
}

/** State of the open run for the head line; null if none is open. */
export function queueState(state: State): string | null {
  const run = shownRun(state)
  if (run === null || state.queue === null) return null
  return `${run.kind}: ${sharedWord(run, state.queue, shownTasks(state))}`
}
