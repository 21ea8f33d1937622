/** The Log screen: lines of all runs of this session. */
import { logHeight } from '../../state/geometry.ts'
import { indexNow, wholeList } from '../../state/kept-cursor.ts'
import { movePosition, limitPosition } from '../../state/position.ts'
import { logRows } from '../../state/selectors.ts'
import type { State } from '../../state/state.ts'
import { toTables, type ScreenEntry } from '../screen.ts'
import { logScreen } from './view.ts'

function heldLine(before: State, after: State): State {
  const { at, follow } = after.log
  if (follow || at !== before.log.at || before.log === after.log) return after
  const cursor = indexNow<object>(at.cursor, wholeList(logRows(before)), wholeList(logRows(after)), (one) => one)
  if (cursor === null || cursor === at.cursor) return after
  const top = Math.max(0, at.top + cursor - at.cursor)
  return { ...after, log: { ...after.log, at: { cursor, top } } }
}

/** If the log follows, the newest line stays visible. Otherwise the cursor stays on its line. */
function settled(before: State, after: State): State {
  const state = heldLine(before, after)
  const lines = logRows(state).length
  const height = logHeight(state)
  const { at, follow } = state.log
  const next = follow
    ? { cursor: Math.max(0, lines - 1), top: Math.max(0, lines - height) }
    : limitPosition(at, lines, height)
  return next.cursor === at.cursor && next.top === at.top ? state : { ...state, log: { ...state.log, at: next } }
}

export const LOG: ScreenEntry = {
  title: 'Log',
  next: 'log',
  keys: [
    'FIND AND SORT',
    'MOVE',
    'PROGRAM',
    'ACT on the row or the marked rows',
    'RUN screen',
    'COMPARE screen',
    'DIALOGS',
  ],
  draw: logScreen,
  crumbs: ({ log }) => `${log.errorsOnly ? 'errors only · ' : ''}${log.follow ? 'follows' : 'paused, G follows'}`,
  move: (state, move) => {
    const total = logRows(state).length
    const at = movePosition(state.log.at, move, total, logHeight(state))
    return { ...state, log: { ...state.log, at, follow: at.cursor >= total - 1 && move !== 'up' } }
  },
  keepCursor: settled,
  back: toTables,
  copied: (state) => {
    const entry = logRows(state)[state.log.at.cursor]
    return entry === undefined ? null : { text: entry.text, what: 'line' }
  },
}
