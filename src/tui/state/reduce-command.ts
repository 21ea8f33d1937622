/** Commands that only change the screen. Commands that need the workbench or the terminal are in ../session. */
import { toPane } from '../screens/run/copy/copy-cursor.ts'
import type { KeyCommand } from '../keymap/bindings.ts'
import { BARS, latencyAfter } from '../screens/compare/compare-figures.ts'
import { geometry } from './geometry.ts'
import { attentionIndex, attentionRows, goToAttention } from '../screens/tables/attention.ts'
import { openScreen } from '../screens/index.ts'
import type { Move } from './position.ts'
import {
  openedFromSchedule,
  openedFromWorker,
  openedRun,
  openedSchedules,
  openedWorkers,
} from '../screens/queue/reduce-queue.ts'
import { activeRun, openRun, runRows } from './selectors.ts'
import { FILE_SORTS, NO_SELECTION, START, TABLE_SORTS, TABS, type Prompt, type State, type Tab } from './state.ts'
import { cursorIndex, cursorRow, visibleRows, type ListRow } from '../screens/tables/tables-list.ts'
import { field } from './text-field.ts'

const MOVES: Partial<Record<KeyCommand, Move>> = {
  'cursor.up': 'up',
  'cursor.down': 'down',
  'cursor.half-up': 'half-up',
  'cursor.half-down': 'half-down',
  'cursor.page-up': 'page-up',
  'cursor.page-down': 'page-down',
  'cursor.first': 'first',
  'cursor.last': 'last',
}

/** Commands that open a prompt, and its initial text. */
const PROMPTS: Partial<Record<KeyCommand, readonly [kind: Prompt['kind'], text: string]>> = {
  'copy.tables': ['copy-to', ''],
  'as-of.edit': ['as-of', ''],
  'store.add': ['add-store', ''],
  'import.path': ['import-path', ''],
  'compare.picture': ['picture-to', 'sluice-compare.svg'],
  'ask.save': ['ask-save', ''],
}

const cycle = <T>(list: readonly T[], current: T, by: number): T =>
  list[(list.indexOf(current) + by + list.length) % list.length] ?? current

function prompt(kind: Prompt['kind'], text: string): Prompt {
  return { kind, field: field(text), before: text, error: null }
}

/** Goes to the next of these: list, table, and tables that need attention. Those that do not exist are skipped. */
function nextPane(state: State, by: number): State {
  const panes: State['focus'][] = ['list']
  if (cursorRow(state)?.kind === 'delta') panes.push('detail')
  if (attentionRows(state).length > 0) panes.push('needs')
  const focus = cycle(panes, state.focus, by)
  return focus === 'needs' ? goToAttention(state, attentionIndex(state)) : { ...state, focus }
}

function turnTab(state: State, by: number): State {
  const tab: Tab = cycle(TABS, state.detail.tab, by)
  // If the detail pane is hidden, open it: otherwise its tabs would not be visible.
  const focus = geometry(state).detail === 0 ? 'detail' : state.focus
  return { ...state, focus, detail: { ...state.detail, tab } }
}

/** Rows that can be marked; database files can only be opened. */
const isTable = ({ kind }: ListRow): boolean => kind === 'delta' || kind === 'relation'

function markRange(state: State): State {
  const rows = visibleRows(state)
  const index = cursorIndex(state)
  const row = rows[index]
  if (row === undefined) return state
  const from = rows.findIndex((r) => r.key === state.tables.anchor)
  if (from < 0) {
    const flash = { text: 'range begins here: move, then V again', tone: 'plain' } as const
    return {
      ...state,
      flash,
      tables: { ...state.tables, anchor: row.key, marks: new Set([...state.tables.marks, row.key]) },
    }
  }
  const range = rows.slice(Math.min(from, index), Math.max(from, index) + 1).filter(isTable)
  return {
    ...state,
    tables: { ...state.tables, anchor: null, marks: new Set([...state.tables.marks, ...range.map((r) => r.key)]) },
  }
}

function toggleMark(state: State): State {
  const row = cursorRow(state)
  if (row === null) return state
  if (!isTable(row)) return { ...state, flash: { text: `${row.name} is no table`, tone: 'plain' } }
  const marks = new Set(state.tables.marks)
  if (!marks.delete(row.key)) marks.add(row.key)
  return openScreen(state).move({ ...state, tables: { ...state.tables, marks } }, 'down')
}

function markAll(state: State): State {
  const shown = visibleRows(state)
    .filter(isTable)
    .map((row) => row.key)
  const all = shown.every((key) => state.tables.marks.has(key))
  return {
    ...state,
    tables: { ...state.tables, anchor: null, marks: all ? new Set() : new Set([...state.tables.marks, ...shown]) },
  }
}

/**
 * Opens the active run of this program, else the run that was open last. If the user left a run of another program,
 * only `enter` opens it again. If the Runs or queue screen is open already, opens the list.
 */
function openRuns(state: State): State {
  if (state.screen === 'runs' || state.screen === 'queue')
    return { ...state, screen: 'runs', runs: { ...state.runs, open: null } }
  const shown = openRun(state)
  const isLeft = shown !== null && shown.joined !== null && !state.attached
  const open = activeRun(state)?.id ?? (isLeft ? null : state.runs.open)
  return { ...state, screen: 'runs', runs: { ...state.runs, open } }
}

/** The state after a command; the same object if it is not a screen command. */
export function reduceCommand(state: State, command: KeyCommand): State {
  const move = MOVES[command]
  if (move !== undefined) return openScreen(state).move(state, move)
  const asks = PROMPTS[command]
  if (asks !== undefined) return { ...state, prompt: prompt(...asks) }
  const { tables, detail } = state
  switch (command) {
    case 'open':
      return { ...state, focus: 'detail' }
    case 'open.run': {
      const row = runRows(state)[state.runs.at.cursor]
      if (row?.kind === 'shared') return openedRun(state, row.run.runId)
      return row?.kind === 'here'
        ? { ...state, runs: { ...state.runs, open: row.run.id, results: START, copy: NO_SELECTION } }
        : state
    }
    case 'copy.pane':
      return toPane(state, state.runs.copy.pane === 'top' ? 'chunks' : 'top')
    case 'copy.chunks':
      return toPane(state, 'chunks')
    case 'pane.next':
      return nextPane(state, 1)
    case 'pane.previous':
      return nextPane(state, -1)
    case 'needs':
      return state.focus === 'needs' ? { ...state, focus: 'list' } : goToAttention(state, attentionIndex(state))
    case 'tab.next':
      return turnTab(state, 1)
    case 'tab.previous':
      return turnTab(state, -1)
    case 'mark':
      return toggleMark(state)
    case 'mark.range':
      return markRange(state)
    case 'mark.all':
      return markAll(state)
    case 'filter':
      if (state.screen === 'log') return { ...state, prompt: prompt('log-filter', state.log.filter) }
      // The filter applies to the whole list, so leave the list of tables that need attention.
      return {
        ...state,
        focus: state.focus === 'needs' ? 'list' : state.focus,
        prompt: prompt('filter', tables.filter),
      }
    case 'where.edit':
      return { ...state, prompt: prompt('where', detail.where) }
    case 'where.clear':
      return { ...state, detail: { ...detail, where: '', at: { ...detail.at, files: START } } }
    case 'sort.next':
      if (state.focus === 'detail')
        return {
          ...state,
          detail: { ...detail, fileSort: cycle(FILE_SORTS, detail.fileSort, 1), at: { ...detail.at, files: START } },
        }
      return { ...state, tables: { ...tables, sort: cycle(TABLE_SORTS, tables.sort, 1) } }
    case 'sort.reverse':
      if (state.focus === 'detail')
        return {
          ...state,
          detail: { ...detail, fileDescending: !detail.fileDescending, at: { ...detail.at, files: START } },
        }
      return { ...state, tables: { ...tables, descending: !tables.descending } }
    case 'zoom':
      return { ...state, zoom: !state.zoom }
    case 'screen.tables':
      return { ...state, screen: 'tables' }
    case 'screen.runs':
      return openRuns(state)
    case 'queue.workers':
      return openedWorkers(state)
    case 'queue.schedules':
      return openedSchedules(state)
    case 'queue.scheduled':
      return openedFromSchedule(state)
    case 'queue.run':
      return openedFromWorker(state)
    case 'screen.compare':
      return { ...state, screen: 'compare' }
    case 'screen.ask':
      return { ...state, screen: 'ask' }
    case 'screen.log':
      return { ...state, screen: 'log' }
    case 'errors':
      if (state.screen === 'log') return { ...state, log: { ...state.log, errorsOnly: !state.log.errorsOnly } }
      return {
        ...state,
        runs: {
          ...state.runs,
          errorsOnly: !state.runs.errorsOnly,
          results: START,
          copy: { ...state.runs.copy, chunk: null, top: 0 },
        },
      }
    case 'compare.bytes':
      return { ...state, compare: { ...state.compare, bars: cycle(BARS, state.compare.bars, 1) } }
    case 'compare.nearer':
    case 'compare.further': {
      const latency = latencyAfter(state.compare.latency, command === 'compare.nearer' ? -1 : 1)
      return { ...state, compare: { ...state.compare, bars: 'time', latency } }
    }
    case 'compare.cold':
      return { ...state, compare: { ...state.compare, cold: !state.compare.cold } }
    case 'back':
      return openScreen(state).back(state)
    case 'help':
      return { ...state, dialog: { kind: 'help', all: false, field: field(), typing: false, top: 0 } }
    case 'palette':
      return { ...state, dialog: { kind: 'palette', field: field(), cursor: 0 } }
    default:
      return state
  }
}
