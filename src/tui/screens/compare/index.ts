/** The Compare screen: a table read from its log and from the catalog, question by question. */
import { questionRows } from '../../state/geometry.ts'
import { indexNow, wholeList } from '../../state/kept-cursor.ts'
import { movePosition } from '../../state/position.ts'
import { comparison } from '../../state/selectors.ts'
import type { State } from '../../state/state.ts'
import { shownTableName } from '../../views/table-name.ts'
import { toTables, type ScreenEntry } from '../screen.ts'
import { compareScreen } from './view.ts'

function settled(before: State, after: State): State {
  const { at } = after.compare
  if (at !== before.compare.at || before.runs.views === after.runs.views) return after
  const now = comparison(after)?.questions ?? []
  const index = indexNow(
    at.cursor,
    wholeList(comparison(before)?.questions ?? []),
    wholeList(now),
    (one) => one.question,
  )
  const cursor = Math.max(0, Math.min(index ?? at.cursor, now.length - 1))
  return cursor === at.cursor ? after : { ...after, compare: { ...after.compare, at: { ...at, cursor } } }
}

export const COMPARE: ScreenEntry = {
  title: 'Compare',
  next: 'compare',
  keys: [
    'COMPARE screen',
    'MOVE',
    'PROGRAM',
    'FIND AND SORT',
    'ACT on the row or the marked rows',
    'RUN screen',
    'DIALOGS',
  ],
  ownKeys: 'COMPARE screen',
  draw: compareScreen,
  crumbs: (state) => {
    const shown = comparison(state)
    return shown === null ? '' : `Compare › ${shownTableName(shown.table, state.lake)}`
  },
  move: (state, move) => {
    const total = comparison(state)?.questions.length ?? 0
    const at = movePosition(state.compare.at, move, total, questionRows(state, total).list)
    return { ...state, compare: { ...state.compare, at } }
  },
  keepCursor: settled,
  back: toTables,
  copied: (state) => {
    const run = comparison(state)?.run
    return run === undefined ? null : { command: run.commandLine }
  },
}
