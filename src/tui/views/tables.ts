/** The pane of the tables list with what stands below it. */
import type { Line } from '../draw/line.ts'
import { block, rule } from '../draw/line.ts'
import { geometry, SUMMARY_ROWS, summaryRows, tablesHeight } from '../state/geometry.ts'
import type { State } from '../state/state.ts'
import { drawnLines } from '../state/drawn-list.ts'
import { folderBars, needy } from './table-panels.ts'
import { tablesList } from './table-rows.ts'
import { tablesSummary } from './table-summary.ts'

/** The pane: list, and below it what fits of the panels. */
export function tablesPane(state: State, cells: number): Line[] {
  const g = geometry(state)
  if (state.focus === 'needs' && (g.mode === 'one' || state.zoom))
    return block([rule('what needs you', cells), ...needy(state, cells, g.body - 1)], cells, g.body)
  if (g.mode === 'one') {
    const below = summaryRows(g.body) > 0 ? [[], ...tablesSummary(state, cells)] : []
    const list = tablesList(state, cells, tablesHeight(state) + 1)
    return block([...list, ...block(below, cells, below.length === 0 ? 0 : SUMMARY_ROWS)], cells, g.body)
  }
  const listRows = Math.min(g.body, 1 + Math.max(1, drawnLines(state).length))
  const lines = tablesList(state, cells, listRows)
  let left = g.body - listRows - 1
  if (left >= 4) {
    const folders = folderBars(state, cells, Math.min(5, left - 1))
    if (folders.length > 0) lines.push([], rule('bytes by folder', cells), ...folders)
    left -= folders.length + 1
  }
  if (left >= 4) {
    const who = needy(state, cells, Math.min(8, left - 2))
    if (who.length > 0) lines.push([], rule('what needs you', cells), ...who)
  }
  return block(lines, cells, g.body)
}
