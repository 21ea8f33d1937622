/** How a run of another program comes into the state: its past first, each event at its own time. */
import { msOf } from '../../render/screen-format.ts'
import { foldEvent, sample } from '../run/fold.ts'
import { freshRun, type RunView } from '../run/run-view.ts'
import type { Action } from './action.ts'
import { KEPT_RUNS, NO_SELECTION, START, type State } from './state.ts'

/** In the place of the same run where that was joined before. */
export function joinedIn(state: State, action: Extract<Action, { type: 'run-joined' }>): State {
  const { id, about, snapshot, now, show } = action
  const { operation, commandLine, folder = null, host, pid, startedAt, runId } = about
  const begun: RunView = {
    ...freshRun(id, operation, commandLine, msOf(startedAt) ?? now),
    joined: { host, pid, folder },
    runId,
  }
  const run = snapshot.reduce((folded, event) => {
    const at = msOf(event.ts) ?? now
    return sample(foldEvent(folded, event, at), at)
  }, begun)
  const isSame = (one: { readonly id: number; readonly runId: string | null; readonly joined: unknown }): boolean =>
    one.id === id || (one.joined !== null && one.runId === runId)
  const views = state.runs.views.some(isSame)
    ? state.runs.views.map((one) => (isSame(one) ? run : one))
    : [run, ...state.runs.views].slice(0, KEPT_RUNS)
  const next = { ...state, now, runs: { ...state.runs, views } }
  return show ? opened(next, id) : next
}

/** Its screen is open. */
export function opened(state: State, id: number): State {
  return {
    ...state,
    screen: 'runs',
    runs: { ...state.runs, open: id, results: START, copy: NO_SELECTION },
  }
}
