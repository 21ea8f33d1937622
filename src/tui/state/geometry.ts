/** How the screen is divided, from its size and what is open. Views draw by it and reducers scroll by it. */
import type { State, Tab } from './state.ts'
import { drawnLines } from './drawn-list.ts'

export const SMALLEST = { columns: 40, rows: 10 }

export type Geometry = {
  readonly mode: 'small' | 'one' | 'two' | 'three'
  /** Rows between the two head lines (and the rule below them) and the foot. */
  readonly body: number
  /** Widths; 0 for a pane that is not shown. */
  readonly list: number
  readonly detail: number
  readonly activity: number
}

/** Panes of the Tables screen for this state. */
export function geometry(state: State): Geometry {
  const { columns, rows } = state.size
  if (columns < SMALLEST.columns || rows < SMALLEST.rows)
    return { mode: 'small', body: rows, list: 0, detail: 0, activity: 0 }
  const wide = columns >= 100 && rows >= 30
  const body = wide && state.screen === 'tables' ? rows - 5 : rows - 3
  if (state.screen !== 'tables') return { mode: wide ? 'two' : 'one', body, list: columns, detail: 0, activity: 0 }
  const inDetail = state.focus === 'detail'
  // The predicate, the funnel and long paths need the width: below three panes the Files tab takes it all.
  const alone = !wide || state.zoom || (inDetail && state.detail.tab === 'files' && columns < 160)
  if (alone) {
    const mode = wide ? 'two' : 'one'
    return inDetail
      ? { mode, body, list: 0, detail: columns, activity: 0 }
      : { mode, body, list: columns, detail: 0, activity: 0 }
  }
  if (columns >= 160 && rows >= 45) {
    const list = Math.floor(columns * 0.43)
    const activity = Math.max(34, Math.floor(columns * 0.2))
    return { mode: 'three', body, list, detail: columns - list - activity - 2, activity }
  }
  const list = Math.floor(columns * 0.475)
  return { mode: 'two', body, list, detail: columns - list - 1, activity: 0 }
}

/** Rows of the summary below the list in one pane: a rule, three lines and an empty row. */
export const SUMMARY_ROWS = 5

/** Lines of the tables list on screen, its heading not counted. */
export function tablesHeight(state: State): number {
  const g = geometry(state)
  return Math.max(1, g.body - 1 - (g.mode === 'one' ? summaryRows(g.body) : 0))
}

/** Below 16 rows the list needs every row. */
export function summaryRows(body: number): number {
  return body >= 13 ? SUMMARY_ROWS : 0
}

/** Index in the drawn list, which has titles between its sections, of the row `index`. */
export function drawnIndex(state: State, index: number): number {
  return Math.max(
    0,
    drawnLines(state).findIndex((line) => line.kind === 'row' && line.index === index),
  )
}

/** Rows inside the detail pane below its head. */
export function detailContent(state: State): number {
  const g = geometry(state)
  return Math.max(1, g.mode === 'one' ? g.body - 1 : g.body - 3)
}

/** How a tab divides its rows: the list, and the panels below it. */
export function tabRows(tab: Tab, content: number): { readonly list: number; readonly below: number } {
  switch (tab) {
    case 'overview':
      return { list: content, below: 0 }
    case 'schema':
    case 'partitions':
    case 'features':
      return { list: Math.max(1, content - 1), below: 0 }
    case 'history': {
      const below = content >= 36 ? 24 : content >= 20 ? 9 : 0
      return { list: Math.max(1, content - 1 - below), below }
    }
    case 'files': {
      const below = content >= 24 ? 5 : 0
      return { list: Math.max(1, content - 7 - (content >= 14 ? 1 : 0) - below), below }
    }
  }
}

/** Rows of the list of past runs, its heading not counted. */
export function runsHeight(state: State): number {
  return Math.max(1, geometry(state).body - 2)
}

/** Whether an empty line can stand between the questions of Compare and the figures of one. */
export const hasRoom = (body: number): boolean => body >= 24

/** Rows of the questions of Compare; each takes two rows when there is room. */
export function compareRows(state: State, questions: number): { readonly step: 1 | 2; readonly list: number } {
  const body = geometry(state).body
  const roomy = body >= 34 && questions * 2 + 17 <= body
  return { step: roomy ? 2 : 1, list: Math.max(1, Math.min(questions, body - (hasRoom(body) ? 13 : 12))) }
}

/** Rows of the Log screen. */
export function logHeight(state: State): number {
  return Math.max(1, geometry(state).body - 1)
}
