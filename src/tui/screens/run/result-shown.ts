/** The result of a run under the cursor. Until the user moves the cursor, it follows the newest result. */
import type { RunView } from '../../run/run-view.ts'
import { moveIndex, scrollTop, type Move } from '../../state/position.ts'
import { runLayout } from './run-layout.ts'
import { runResults } from '../../state/selectors.ts'
import type { State } from '../../state/state.ts'

/**
 * Index of the result under the cursor, and of the first visible one; -1 if there is none. @param height rows of the
 * list
 */
export function resultPosition(
  state: State,
  run: RunView,
  height: number,
): { readonly index: number; readonly top: number } {
  const total = runResults(state, run).length
  const { cursor, top } = state.runs.results
  // Cursor 0 follows the newest; otherwise it is the index plus one.
  const index = cursor > 0 ? Math.min(total, cursor) - 1 : total - 1
  return { index, top: scrollTop(cursor > 0 ? top : index, index, total, height) }
}

/** The result under the cursor. */
export function shownResult(state: State, run: RunView): RunView['results'][number] | null {
  return runResults(state, run)[resultPosition(state, run, 1).index] ?? null
}

/** Moves the cursor. After a move to the last row of an active run, the cursor follows the newest result again. */
export function moveInResults(state: State, run: RunView, move: Move): State {
  const { results: height } = runLayout(state, run)
  const total = runResults(state, run).length
  const at = resultPosition(state, run, height)
  const index = moveIndex(at.index, move, total, height)
  const results =
    move === 'last' && run.finished === null
      ? { cursor: 0, top: 0 }
      : { cursor: index + 1, top: scrollTop(at.top, index, total, height) }
  return { ...state, runs: { ...state.runs, results } }
}
