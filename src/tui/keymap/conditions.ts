/** When a key works: only then it is dispatched, hinted in the last row and found in the palette. */
import type { State, Tab } from '../state/state.ts'
import { geometry } from '../state/geometry.ts'
import { activeRun, comparison, logRows, openRun, runResults, runRows } from '../state/selectors.ts'
import { cursorRow, targetRows } from '../state/tables-list.ts'

export type When = (state: State) => boolean

export const anywhere: When = () => true
export const onTables: When = (s) => s.screen === 'tables'
export const inList: When = (s) => onTables(s) && s.focus === 'list'
export const inDetail: When = (s) => onTables(s) && s.focus === 'detail'
export const inTab =
  (tab: Tab): When =>
  (s) =>
    inDetail(s) && s.detail.tab === tab
export const hasRow: When = (s) => onTables(s) && cursorRow(s) !== null
export const listRow: When = (s) => inList(s) && hasRow(s)
/** Whether the table under the cursor can be opened: other sources have nothing inside. */
export const canOpen: When = (s) => inList(s) && cursorRow(s)?.kind === 'delta'
export const panes: When = (s) => canOpen(s) || inDetail(s)
export const manyPanes: When = (s) => panes(s) && geometry(s).detail > 0 && geometry(s).list > 0
/** Whether the tabs are on screen. */
export const tabsSeen: When = (s) => manyPanes(s) || inDetail(s)
export const manyPanesOrZoom: When = (s) => onTables(s) && (s.zoom || manyPanes(s))
/** Inside a tab its own keys are worth more of the last row than what acts on the table. */
export const actsHinted: When = (s) => inList(s) || inTab('overview')(s)
export const timed: When = (s) => inTab('files')(s) || inTab('partitions')(s)
export const offLog: When = (s) => s.screen !== 'log'
export const hasDelta: When = (s) => onTables(s) && targetRows(s).some((row) => row.kind === 'delta')
export const canImport: When = (s) => hasDelta(s) && s.lake !== null
export const inCatalog: When = (s) =>
  onTables(s) && targetRows(s).some((row) => row.kind === 'delta' && row.catalog.state !== 'none')
export const canRollBack: When = (s) => {
  const row = onTables(s) ? cursorRow(s) : null
  return row !== null && row.kind === 'delta' && row.catalog.state !== 'none'
}
export const running: When = (s) => activeRun(s) !== undefined
export const idle: When = (s) => activeRun(s) === undefined
export const runOpen: When = (s) => s.screen === 'runs' && openRun(s) !== null
export const runsListed: When = (s) => s.screen === 'runs' && openRun(s) === null && runRows(s).length > 0
export const hasResults: When = (s) => {
  const run = s.screen === 'runs' ? openRun(s) : null
  return run !== null && runResults(s, run).length > 0
}
export const steers: When = (s) => s.screen === 'runs' && ['running', 'paused'].includes(activeRun(s)?.phase ?? '')
export const canStop: When = (s) => s.screen !== 'log' && running(s) && activeRun(s)?.phase !== 'aborting'
export const onCompare: When = (s) => s.screen === 'compare'
export const compared: When = (s) => onCompare(s) && (comparison(s)?.questions.length ?? 0) > 0
export const askAgain: When = (s) => compared(s) && idle(s)
export const onLog: When = (s) => s.screen === 'log'
export const hasLog: When = (s) => onLog(s) && logRows(s).length > 0
export const sortable: When = (s) => inList(s) || inTab('files')(s)
export const filtered: When = (s) => inTab('files')(s) && s.detail.where !== ''
export const canCopy: When = (s) => hasRow(s) || hasLog(s) || runOpen(s) || onCompare(s)
/** Whether `esc` has anything to close. */
export const inside: When = (s) =>
  s.screen !== 'tables' || s.focus === 'detail' || s.zoom || s.tables.filter !== '' || s.tables.marks.size > 0
