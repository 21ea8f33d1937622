/** The Tables screen: list, details and activity, as many panes as fit. */
import { block, columns, rule, span, type Line } from '../../draw/line.ts'
import { marksOf } from '../../draw/theme.ts'
import { geometry, SUMMARY_ROWS, summaryRows, tablesHeight } from '../../state/geometry.ts'
import type { State } from '../../state/state.ts'
import { activityPane } from './activity.ts'
import { detailPane } from './detail.ts'
import { drawnLines } from './drawn-list.ts'
import { isStart } from './start-lines.ts'
import { folderBars, attentionPanel } from './table-panels.ts'
import { tablesList } from './table-rows.ts'
import { tablesSummary } from './table-summary.ts'

/** The list, and the panels that fit below it. */
function tablesPane(state: State, cells: number): Line[] {
  const g = geometry(state)
  if (state.focus === 'needs' && (g.mode === 'one' || state.zoom))
    return block([rule('what needs you', cells), ...attentionPanel(state, cells, g.body - 1)], cells, g.body)
  if (g.mode === 'one') {
    const below = summaryRows(g.body) > 0 ? [[], ...tablesSummary(state, cells)] : []
    const list = tablesList(state, cells, tablesHeight(state) + 1)
    return block([...list, ...block(below, cells, below.length === 0 ? 0 : SUMMARY_ROWS)], cells, g.body)
  }
  const listRows = isStart(state) ? g.body : Math.min(g.body, 1 + Math.max(1, drawnLines(state).length))
  const lines = tablesList(state, cells, listRows)
  let left = g.body - listRows - 1
  if (left >= 4) {
    const folders = folderBars(state, cells, Math.min(5, left - 1))
    if (folders.length > 0) lines.push([], rule('bytes by folder', cells), ...folders)
    left -= folders.length + 1
  }
  if (left >= 4) {
    const who = attentionPanel(state, cells, Math.min(8, left - 2))
    if (who.length > 0) lines.push([], rule('what needs you', cells), ...who)
  }
  return block(lines, cells, g.body)
}

export function tablesScreen(state: State): Line[] {
  const g = geometry(state)
  const marks = marksOf(state.ascii)
  const panes: (readonly Line[])[] = []
  const widths: number[] = []
  const add = (cells: number, draw: (state: State, cells: number) => Line[]): void => {
    if (cells === 0) return
    panes.push(draw(state, cells))
    widths.push(cells)
  }
  add(g.list, tablesPane)
  add(g.detail, detailPane)
  add(g.activity, activityPane)
  const inner = columns(panes, marks.bar)
  if (g.mode === 'one') return inner
  const edge = (tee: string): Line => [span(widths.map((w) => marks.dash.repeat(w)).join(tee), 'muted')]
  return [edge(marks.tees[0]), ...inner, edge(marks.tees[1])]
}
