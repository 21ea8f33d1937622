/** The Ask screen: a statement of SQL, and its rows. */
import { indexNow, wholeList, type Rows } from '../../state/kept-cursor.ts'
import type { State } from '../../state/state.ts'
import { toTables, type ScreenEntry } from '../screen.ts'
import { editorText } from './ask-editor.ts'
import { movedInGrid, keepGridCursor } from './ask-grid.ts'
import { historyFound, placesFound } from './ask-places.ts'
import { placeKey, type AskBox } from './state.ts'
import { askScreen } from './view.ts'

function heldBox(before: State, after: State): State {
  const { box } = after.ask
  if (box === null || box !== before.ask.box || box.kind === 'offers' || before === after) return after
  const names = (state: State, { kind, field }: Exclude<AskBox, { kind: 'offers' }>): Rows<string> =>
    wholeList(
      kind === 'places'
        ? placesFound(state, field.text).map(placeKey)
        : historyFound(state.ask.history, field.text).map(({ sql }) => sql),
    )
  const isAsBefore = before.databases === after.databases && before.ask.history === after.ask.history
  if (isAsBefore) return after
  const cursor = indexNow(box.cursor, names(before, box), names(after, box), (name) => name)
  return cursor === null || cursor === box.cursor ? after : { ...after, ask: { ...after.ask, box: { ...box, cursor } } }
}

export const ASK: ScreenEntry = {
  title: 'Ask',
  // A new session does not begin on this screen: its first key would be typed into the statement.
  next: 'tables',
  keys: ['ASK screen', 'MOVE', 'PROGRAM', 'RUN screen', 'DIALOGS'],
  ownKeys: 'ASK screen',
  draw: askScreen,
  move: movedInGrid,
  keepCursor: (before, after) => {
    const state = heldBox(before, after)
    return state.screen === 'ask' ? keepGridCursor(state) : state
  },
  back: toTables,
  copied: ({ ask }) => ({ text: editorText(ask.editor), what: 'statement' }),
}
