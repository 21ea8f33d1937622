/** Layout of the Run screen. */
import type { RunView } from '../../run/run-view.ts'
import { geometry } from '../../state/geometry.ts'
import type { State } from '../../state/state.ts'
import { isRunShownOn } from '../../run/run-screen.ts'
import { showsOutput } from '../../run/output.ts'

export type RunLayout = {
  readonly wide: boolean
  /** Rows of the last-minute chart; 0: not shown. */
  readonly chart: number
  readonly workers: number
  readonly results: number
  readonly log: number
}

/** Rows of each part. The head takes 4 rows; on a large screen 5, because it has an empty row. */
export function runLayout(state: State, run: RunView): RunLayout {
  const { columns, rows } = state.size
  const body = geometry(state).body
  const wide = columns >= 100 && rows >= 30
  const chart = wide && rows >= 38 && run.plan !== null ? 6 : 0
  const head = wide ? 5 : 4
  if (showsOutput(run)) return { wide, chart: 0, workers: 0, results: Math.max(1, body - head - 2), log: 0 }
  const workers =
    run.finished !== null ||
    run.operation.kind === 'validate' ||
    run.checks.length > 0 ||
    isRunShownOn(run.operation, 'differences')
      ? 0
      : Math.max(1, Math.min(run.workers.length, rows >= 38 ? 16 : 5))
  const left = body - head - chart - (chart > 0 ? 1 : 0) - (workers > 0 ? workers + 2 : 0) - 1
  const log = Math.max(0, Math.min(wide ? 10 : 4, Math.floor(left / 3)))
  const results = Math.max(1, left - (log === 0 ? 0 : log + 2))
  return { wide, chart, workers, results, log }
}
