/** The list with the cursor: its length, its visible rows, and cursor movement. */
import type { ListPosition, State, Tab } from './state.ts'
import {
  questionRows,
  detailContent,
  drawnIndex,
  geometry,
  logHeight,
  runsHeight,
  tablesHeight,
  tabRows,
} from './geometry.ts'
import type { Move } from './position.ts'
import { moveIndex, movePosition, scrollTop, settlePosition } from './position.ts'
import { comparison, slotIdentity, knownValue, logRows, openRun, runRows } from './selectors.ts'
import { drawnLines } from '../screens/tables/drawn-list.ts'
import { cursorIndex, visibleRows } from '../screens/tables/tables-list.ts'
import { overviewLines } from '../screens/tables/overview.ts'
import { needyIndex, needyRows, toNeedy } from '../screens/tables/needy.ts'
import { movedInGrid, settledGrid } from '../screens/ask/ask-grid.ts'
import { moveInQueue, settledQueue } from '../screens/queue/queue-rows.ts'
import { queueHeight } from '../screens/queue/view.ts'
import { moveInArchive } from '../screens/run/archiving/archive-shown.ts'
import { moveInCopy } from '../screens/run/copy/copy-cursor.ts'
import { moveInResults } from '../screens/run/result-shown.ts'
import { settledRow } from '../screens/tables/settled-row.ts'

/** Rows of a tab of the detail pane; 0 while unknown. */
export function tabTotal(state: State, tab: Tab): number {
  const id = (name: Parameters<typeof slotIdentity>[1]): string => slotIdentity(state, name)
  switch (tab) {
    case 'overview':
      return overviewLines(state, geometry(state).detail || state.size.columns).length
    case 'schema':
      return knownValue(state, 'schema', id('schema'))?.length ?? 0
    case 'features':
      return knownValue(state, 'features', id('features'))?.length ?? 0
    case 'history':
      return knownValue(state, 'history', id('history'))?.total ?? 0
    case 'partitions':
      return knownValue(state, 'partitions', id('partitions'))?.total ?? 0
    case 'files':
      return knownValue(state, 'files', id('files'))?.total ?? 0
  }
}

/** Visible rows of the list of tables that need attention. */
const NEEDS_SEEN = 8

function moveTab(state: State, move: Move): State {
  const tab = state.detail.tab
  const height = tabRows(tab, detailContent(state)).list
  const total = tabTotal(state, tab)
  const at = state.detail.at[tab]
  // The Overview has no cursor: its text scrolls.
  const next = tab === 'overview' ? scrollText(at, move, total, height) : movePosition(at, move, total, height)
  return { ...state, detail: { ...state.detail, at: { ...state.detail.at, [tab]: next } } }
}

/** Scrolls a text without a cursor. */
export function scrollText(at: ListPosition, move: Move, total: number, height: number): ListPosition {
  const top = Math.max(0, Math.min(Math.max(0, total - height), moveIndex(at.top, move, total, height)))
  const last = Math.max(0, total - height)
  return { cursor: 0, top: move === 'last' ? last : top }
}

/** Moves the cursor of the focused list. */
export function moveCursor(state: State, move: Move): State {
  switch (state.screen) {
    case 'tables': {
      if (state.focus === 'detail') return moveTab(state, move)
      if (state.focus === 'needs') {
        const total = needyRows(state).length
        return toNeedy(state, moveIndex(needyIndex(state), move, total, NEEDS_SEEN))
      }
      const rows = visibleRows(state)
      const row = rows[moveIndex(cursorIndex(state), move, rows.length, tablesHeight(state))]
      return row === undefined ? state : { ...state, tables: { ...state.tables, cursorKey: row.key } }
    }
    case 'runs': {
      const run = openRun(state)
      if (run !== null && run.copy !== null) return moveInCopy(state, run, move)
      if (run !== null && run.archiving !== null) return moveInArchive(state, run, move)
      if (run !== null) return moveInResults(state, run, move)
      return {
        ...state,
        runs: { ...state.runs, at: movePosition(state.runs.at, move, runRows(state).length, runsHeight(state)) },
      }
    }
    case 'compare': {
      const total = comparison(state)?.questions.length ?? 0
      return {
        ...state,
        compare: { ...state.compare, at: movePosition(state.compare.at, move, total, questionRows(state, total).list) },
      }
    }
    case 'queue':
      return moveInQueue(state, move, queueHeight(state))
    case 'ask':
      return movedInGrid(state, move)
    case 'log': {
      const total = logRows(state).length
      const at = movePosition(state.log.at, move, total, logHeight(state))
      return { ...state, log: { ...state.log, at, follow: at.cursor >= total - 1 && move !== 'up' } }
    }
  }
}

/** Screens that keep their own cursor valid. */
function settledScreen(state: State): State {
  if (state.screen === 'queue') return settledQueue(state, queueHeight(state))
  return state.screen === 'ask' ? settledGrid(state) : state
}

/** Called after every change: keeps every cursor on an existing row, the same if possible, and scrolls it into view. */
export function settle(before: State, changed: State): State {
  const state = settledRow(before, settledScreen(changed))
  const total = drawnLines(state).length
  const top = scrollTop(state.tables.top, drawnIndex(state, cursorIndex(state)), total, tablesHeight(state))
  const tables = top === state.tables.top ? state.tables : { ...state.tables, top }

  const tab = state.detail.tab
  const at = state.detail.at[tab]
  const height = tabRows(tab, detailContent(state)).list
  const settled =
    tab === 'overview'
      ? { cursor: 0, top: Math.max(0, Math.min(at.top, tabTotal(state, tab) - height)) }
      : tabTotal(state, tab) === 0
        ? at
        : settlePosition(at, tabTotal(state, tab), height)
  const detail =
    settled.top === at.top && settled.cursor === at.cursor
      ? state.detail
      : { ...state.detail, at: { ...state.detail.at, [tab]: settled } }

  const lines = logRows(state).length
  const logAt = state.log.follow
    ? { cursor: Math.max(0, lines - 1), top: Math.max(0, lines - logHeight(state)) }
    : settlePosition(state.log.at, lines, logHeight(state))
  const log =
    logAt.cursor === state.log.at.cursor && logAt.top === state.log.at.top ? state.log : { ...state.log, at: logAt }

  if (tables === state.tables && detail === state.detail && log === state.log) return state
  return { ...state, tables, detail, log }
}
