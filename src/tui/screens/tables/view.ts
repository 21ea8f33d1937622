/** The Tables screen: list, details and activity, as many panes as fit. */
import { block, columns, rule, span, type Line, chosen, line, spreadLine } from '../../draw/line.ts'
import { marksOf } from '../../draw/theme.ts'
import { geometry, SUMMARY_ROWS, summaryRows, tablesHeight } from '../../state/geometry.ts'
import type { State } from '../../state/state.ts'
import { activityPane } from './activity.ts'
import { detailPane } from './detail.ts'
import { drawnLines } from './drawn-list.ts'
import { isStart } from './start-lines.ts'
import { tablesList } from './table-rows.ts'
import { tablesSummary } from './table-summary.ts'
import { bar } from '../../draw/bars.ts'
import { bytes } from '../../../render/screen-format.ts'
import { cutMiddle, padEnd } from '../../../render/screen-text.ts'
import { attentionIndex, attentionRows } from './attention.ts'

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

// Panels below the list: bytes by folder, and tables that need attention.

/** The folders with the most bytes. */
function folderBars(state: State, cells: number, rows: number): Line[] {
  const sums = new Map<string, number>()
  for (const row of state.slots.tables.value ?? []) {
    if (row.kind !== 'delta' || row.bytes === null) continue
    const folder = row.name.includes('/') ? row.name.slice(0, row.name.indexOf('/')) : row.name
    sums.set(folder, (sums.get(folder) ?? 0) + row.bytes)
  }
  const folders = [...sums].toSorted((a, b) => b[1] - a[1]).slice(0, rows)
  const top = folders[0]?.[1] ?? 0
  const barCells = Math.max(4, cells - 24)
  return folders.map(([folder, size]) => [
    span(` ${padEnd(cutMiddle(folder, 9), 9)} `),
    span(padEnd(bar(top === 0 ? 0 : size / top, barCells, state.ascii), barCells), 'info'),
    span(bytes(size).padStart(11)),
  ])
}

/** Tables that need attention, scrolled so that the cursor is visible. */
function attentionPanel(state: State, cells: number, rows: number): Line[] {
  const marks = marksOf(state.ascii)
  const all = attentionRows(state)
  const at = state.focus === 'needs' ? attentionIndex(state, all) : -1
  const top = Math.max(0, Math.min(at - rows + 1, all.length - rows))
  return all.slice(top, top + rows).map(({ mark, name, what, foot }, i) => {
    const left: Line = [
      span(' '),
      span(marks[mark], mark === 'bad' ? 'bad' : 'warn'),
      span(` ${padEnd(cutMiddle(name, 17), 17)} ${what}`),
    ]
    const here = top + i === at
    const drawn = spreadLine(left, line(foot === '' || cells < 70 ? '' : ` ${foot} `, 'muted'), cells)
    return here ? chosen(drawn, cells) : drawn
  })
}
