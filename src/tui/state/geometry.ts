/** Layout of the screen by its size and open panes. Views draw with this layout, and reducers scroll with it. */
import type { State, Tab } from './state.ts'
import { drawnLines } from '../screens/tables/drawn-list.ts'

export const SMALLEST = { columns: 40, rows: 10 }

export type Geometry = {
  readonly mode: 'small' | 'one' | 'two' | 'three'
  /** Rows between the two head lines and the foot line, without the edges of panes. */
  readonly body: number
  /** Widths of the panes, in cells; 0 for a hidden pane. */
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
  // The Files tab needs width for its predicate, funnel and long paths. So with fewer than three panes it takes the
  // whole width.
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

/** Rows of the summary below the list: a rule, three lines and an empty row. */
export const SUMMARY_ROWS = 5

/** Visible lines of the tables list, without its heading. */
export function tablesHeight(state: State): number {
  const g = geometry(state)
  return Math.max(1, g.body - 1 - (g.mode === 'one' ? summaryRows(g.body) : 0))
}

/** Rows of the summary; 0 on a screen with fewer than 16 rows. */
export function summaryRows(body: number): number {
  return body >= 13 ? SUMMARY_ROWS : 0
}

/** Index of the row `index` among the drawn lines, which include section titles. */
export function drawnIndex(state: State, index: number): number {
  return Math.max(
    0,
    drawnLines(state).findIndex((line) => line.kind === 'row' && line.index === index),
  )
}

/** Rows of the detail pane below its head. */
export function detailContent(state: State): number {
  const g = geometry(state)
  return Math.max(1, g.mode === 'one' ? g.body - 1 : g.body - 3)
}

/** Layout of a tab: rows of the list and of the panels below it. */
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

/** Rows of the list of past runs, without its heading. */
export function runsHeight(state: State): number {
  return Math.max(1, geometry(state).body - 2)
}

/** True if an empty line fits between the questions of Compare and the figures. */
export const hasRoom = (body: number): boolean => body >= 24

/** Rows per question on the Compare screen (two if there is space), and the number of visible questions. */
export function questionRows(state: State, questions: number): { readonly step: 1 | 2; readonly list: number } {
  const body = geometry(state).body
  const roomy = body >= 34 && questions * 2 + 17 <= body
  return { step: roomy ? 2 : 1, list: Math.max(1, Math.min(questions, body - (hasRoom(body) ? 13 : 12))) }
}

/** Rows of the Log screen. */
export function logHeight(state: State): number {
  return Math.max(1, geometry(state).body - 1)
}
