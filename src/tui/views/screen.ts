/** The full screen as exactly `rows` lines of exactly `columns` cells. */
import { percent } from '../../render/screen-format.ts'
import type { Line } from '../draw/line.ts'
import { block, columns, line, overlay, rule, span } from '../draw/line.ts'
import { cutEnd } from '../../render/screen-text.ts'
import { marksOf } from '../draw/theme.ts'
import { runProgress } from '../run/run-view.ts'
import { drawnLines } from '../screens/tables/drawn-list.ts'
import { geometry, SMALLEST, SUMMARY_ROWS, summaryRows, tablesHeight } from '../state/geometry.ts'
import { activeRun, openRun } from '../state/selectors.ts'
import type { State } from '../state/state.ts'
import { activityPane } from '../screens/tables/activity.ts'
import { askScreen } from '../screens/ask/view.ts'
import { compareScreen } from '../screens/compare/view.ts'
import { detailPane } from '../screens/tables/detail.ts'
import { dialogBox } from '../dialogs/view.ts'
import { footLine, screenHeadLines } from './frame.ts'
import { logScreen } from '../screens/log/view.ts'
import { queueScreen } from '../screens/queue/view.ts'
import { runScreen } from '../screens/run/view.ts'
import { runsScreen } from '../screens/runs/view.ts'
import { folderBars, needy } from '../screens/tables/table-panels.ts'
import { isStart } from '../screens/tables/start-lines.ts'
import { tablesList } from '../screens/tables/table-rows.ts'
import { tablesSummary } from '../screens/tables/table-summary.ts'

function tooSmall(state: State): Line[] {
  const { columns: w, rows: h } = state.size
  const run = activeRun(state)
  const goes = run === undefined ? '' : ` Run continues, ${percent(runProgress(run))}`
  const lines = [`Too small for sluice: ${w}×${h}.`, `Make it ${SMALLEST.columns}×${SMALLEST.rows}.${goes}`]
  return block(
    lines.map((t) => line(cutEnd(t, w))),
    w,
    h,
  )
}

/** The pane: list, and the panels that fit below it. */
function tablesPane(state: State, cells: number): Line[] {
  const g = geometry(state)
  if (state.focus === 'needs' && (g.mode === 'one' || state.zoom))
    return block([rule('what needs you', cells), ...needy(state, cells, g.body - 1)], cells, g.body)
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
    const who = needy(state, cells, Math.min(8, left - 2))
    if (who.length > 0) lines.push([], rule('what needs you', cells), ...who)
  }
  return block(lines, cells, g.body)
}

function tablesBody(state: State): Line[] {
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

function body(state: State): Line[] {
  const cells = state.size.columns
  switch (state.screen) {
    case 'tables':
      return tablesBody(state)
    case 'runs': {
      const run = openRun(state)
      return run === null ? runsScreen(state, cells) : runScreen(state, run, cells)
    }
    case 'queue':
      return queueScreen(state, cells)
    case 'compare':
      return compareScreen(state, cells)
    case 'ask':
      return askScreen(state, cells)
    case 'log':
      return logScreen(state, cells)
  }
}

/** Draws the state. */
export function drawScreen(state: State): Line[] {
  const { columns: cells, rows } = state.size
  if (geometry(state).mode === 'small') return tooSmall(state)
  const screen = block([...screenHeadLines(state, cells), ...body(state), footLine(state, cells)], cells, rows)
  if (state.dialog === null) return screen
  const box = dialogBox(state.dialog, state)
  const x = Math.max(0, Math.floor((cells - box.cells) / 2))
  const y = box.top ? 0 : Math.max(0, Math.floor((rows - box.lines.length) / 2))
  return overlay(screen, box.lines, x, y, cells)
}
