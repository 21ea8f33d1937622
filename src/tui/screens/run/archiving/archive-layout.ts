/** Layout of the Run screen of an archive. */
import type { RunView } from '../../../run/run-view.ts'
import { geometry } from '../../../state/geometry.ts'
import type { State } from '../../../state/state.ts'

export type ArchiveLayout = {
  readonly wide: boolean
  /** Rows of the last-minute chart; 0: not shown. */
  readonly chart: number
  /** Rows of partitions, without title and heading. */
  readonly list: number
  /** Rows about the partition under the cursor, below a title; 0: not shown. */
  readonly detail: number
  /** Rows about the result of the run. */
  readonly ending: number
  readonly log: number
}

const TITLE = 1

/** The head takes 4 rows, or 5 with the empty row of a large screen. */
export function archiveLayout(state: State, run: RunView): ArchiveLayout {
  const { columns, rows } = state.size
  const { body } = geometry(state)
  const wide = columns >= 100 && rows >= 30
  const gap = wide ? 1 : 0
  const chart = wide && rows >= 45 && run.finished === null ? 6 : 0
  const ending = run.finished === null ? 0 : Math.max(1, Math.min(6, body - 12))
  let left = body - (wide ? 5 : 4) - (chart > 0 ? chart + 1 : 0) - 1 - TITLE - 1 - (ending > 0 ? ending + gap : 0)
  const detail = left >= 12 ? (wide ? 5 : 3) : left >= 8 ? 2 : 0
  left -= detail === 0 ? 0 : detail + TITLE + gap
  const spare = Math.max(0, Math.min(wide ? 8 : 3, Math.floor(left / 3) - 1))
  const many = run.archiving?.partitions.length ?? 0
  const list = Math.max(1, spare === 0 ? left : left - spare - TITLE - gap)
  // The log gets the rows that a short list does not need.
  const needed = Math.max(3, Math.min(list, many))
  return { wide, chart, list: needed, detail, ending, log: spare === 0 ? 0 : spare + Math.min(list - needed, 10) }
}
