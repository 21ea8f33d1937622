/** Lists over the Ask screen: places, history, and completions. */
import type { Line } from '../../draw/line.ts'
import { chosen, line, overlay, span } from '../../draw/line.ts'
import { clean, cutEnd, cutMiddle, padEnd, width } from '../../../render/screen-text.ts'
import { marksOf } from '../../draw/theme.ts'
import { beforeCaret } from './ask-editor.ts'
import { askRows } from './ask-grid.ts'
import { historyFound, placesFound, askPlaceText } from './ask-places.ts'
import type { AskBox } from './state.ts'
import { geometry } from '../../state/geometry.ts'
import type { State } from '../../state/state.ts'
import { shownAround } from '../../draw/masked.ts'
import { framed } from '../../dialogs/box.ts'
import { editorTop } from './editor.ts'

const WIDE = 100
const OFFER_ROWS = 8

/** The screen with the open list on top. */
export function boxOver(state: State, screen: readonly Line[], cells: number): Line[] {
  const { box } = state.ask
  if (box === null) return [...screen]
  if (box.kind === 'offers') return offersOver(state, box, screen, cells)
  const wide = Math.min(cells, WIDE)
  const room = Math.max(1, Math.min(14, geometry(state).body - 3))
  const all =
    box.kind === 'places'
      ? placesFound(state, box.field.text).map((place) => cutMiddle(clean(askPlaceText(place)), wide - 6))
      : historyFound(state.ask.history, box.field.text).map(({ sql }) =>
          cutEnd(clean(sql.replaceAll(/\s+/g, ' ')), wide - 6),
        )
  const body = listed(state, all, box.cursor, room, wide - 4)
  const [before, after] = shownAround(box.field)
  const name = box.kind === 'places' ? 'ask' : 'history'
  const title = [
    span(`${name} / ${clean(before)}`, 'strong'),
    span(marksOf(state.ascii).caret, 'info'),
    span(clean(after), 'strong'),
  ]
  const foot = box.kind === 'places' ? 'enter takes it · esc closes' : 'enter into the editor · esc closes'
  return overlay(screen, framed(state, title, body, foot, wide), Math.floor((cells - wide) / 2), 0, cells)
}

function listed(state: State, all: readonly string[], cursor: number, room: number, cells: number): Line[] {
  if (all.length === 0) return [line('  nothing is found', 'muted')]
  const marks = marksOf(state.ascii)
  const top = Math.max(0, Math.min(cursor - Math.floor(room / 2), all.length - room))
  return all.slice(top, top + room).map((text, i) => {
    const here = top + i === cursor
    const drawn = line(`${here ? marks.row : ' '} ${text}`)
    return here ? chosen(drawn, cells) : drawn
  })
}

function offersOver(
  state: State,
  box: Extract<AskBox, { kind: 'offers' }>,
  screen: readonly Line[],
  cells: number,
): Line[] {
  const { editor } = state.ask
  const room = Math.max(1, Math.min(OFFER_ROWS, box.offers.length, geometry(state).body - 4))
  const names = Math.min(40, Math.max(...box.offers.map(({ text }) => width(text))))
  const meanings = Math.min(24, Math.max(0, ...box.offers.map(({ meaning }) => width(meaning))))
  const wide = Math.min(cells, names + meanings + 8)
  const texts = box.offers.map(({ text, meaning }) => `${padEnd(clean(text), names)}  ${clean(meaning)}`)
  const body = listed(state, texts, box.cursor, room, wide - 4)
  const rows = askRows(state).editor
  const y = 2 + editor.row - editorTop(editor.lines.length, editor.row, rows)
  const x = Math.max(0, Math.min(cells - wide, 3 + width(clean(beforeCaret(editor))) - box.length))
  const drawn = framed(state, [], body, `${box.cursor + 1} of ${box.offers.length}`, wide)
  return overlay(screen, drawn, x, Math.max(0, Math.min(y, screen.length - drawn.length)), cells)
}
