/** The Ask screen: place, statement, status, and rows of the answer. */
import type { AskProgress } from '../../../app/ask/port.ts'
import { bytes, shownCount, amount, took } from '../../../render/screen-format.ts'
import { type Line, block, line, rule, span, spreadLine, chosen, overlay, type Span } from '../../draw/line.ts'
import { clean, cutMiddle, wrap, cutEnd, padEnd, width, padStart } from '../../../render/screen-text.ts'
import { marksOf } from '../../draw/theme.ts'
import { editorText, beforeCaret } from './ask-editor.ts'
import { askRows, gridCellText, numberCells, shownColumns } from './ask-grid.ts'
import { currentAskPlace, askPlaceText, historyFound, placesFound } from './ask-places.ts'
import type { State } from '../../state/state.ts'
import { editorLines, editorTop } from './editor.ts'
import type { AskBox } from './state.ts'
import { geometry } from '../../state/geometry.ts'
import { shownAround } from '../../draw/masked.ts'
import { framed } from '../../dialogs/box.ts'
import { visible } from '../../../shared/visible.ts'

function headLine(state: State, cells: number): Line {
  const place = currentAskPlace(state)
  if (place === null) return line(' nothing can be asked: no catalog and no database is open', 'muted')
  const right = 'ctrl-o another '
  const room = Math.max(10, cells - right.length - 9)
  return spreadLine(
    [span(' asks  ', 'muted'), span(cutMiddle(clean(askPlaceText(place)), room), 'strong')],
    line(right, 'muted'),
    cells,
  )
}

/** Progress of an answer, and whether it is complete. */
export function answerProgressText({ state, rows, ms, bytes: size, whole, cancelled, columns }: AskProgress): string {
  const come = amount(rows, 'row')
  if (state === 'cancelling') return `cancelling … · ${come} so far`
  if (state === 'running') return `running ${took(ms)} · ${columns === null ? 'no row yet' : `${come} so far`}`
  if (cancelled) return `cancelled after ${took(ms)}: it has ended where it ran · ${come}, not all`
  if (!whole) return `failed after ${took(ms)}${rows > 0 ? ` · ${come}, not all` : ''}`
  return `${come}, all · ${took(ms)}${size > 1_000_000 ? ` · ${bytes(size)} on this disk` : ''}`
}

function stateLine(state: State, cells: number): Line {
  const { answer, saved, pane, at } = state.ask
  if (answer === null) return rule('no answer yet', cells)
  const { progress, question } = answer
  const where = pane === 'grid' && progress.rows > 0 ? `row ${shownCount(at.row + 1)}` : ''
  const parts = [
    answerProgressText(progress),
    ofAnother(state),
    question.explain ? 'explained, not run' : '',
    where,
    saved ?? '',
  ]
  return rule(parts.filter((part) => part !== '').join(' · '), cells, marksOf(state.ascii).dash)
}

/** Text with the statement of the answer; empty if the editor still has this statement. */
function ofAnother({ ask }: State): string {
  const asked = ask.answer?.question.sql ?? ''
  const bare = (sql: string): string => sql.trim().replace(/;+$/, '').trimEnd()
  return bare(editorText(ask.editor)) === bare(asked)
    ? ''
    : `of: ${cutMiddle(clean(asked.replaceAll(/\s+/g, ' ')), 60)}`
}

function below(state: State, cells: number, rows: number): Line[] {
  const { answer } = state.ask
  if (answer === null) {
    return [
      line('   Type a statement; enter runs it once it ends in ;', 'muted'),
      line('   ctrl-r runs it unchanged. It can read and change nothing.', 'muted'),
    ]
  }
  const { error, notes } = answer.progress
  const said = notes.map((note) => line(` ${clean(note)}`, 'muted'))
  if (error === null) return gridLines(state, rows, said)
  const text = [
    `${error.code}: ${error.message}`,
    error.reason,
    error.hint === undefined ? undefined : `do: ${error.hint}`,
  ]
  const lines = text.flatMap((part) => (part === undefined ? [] : part.split('\n')))
  const reported = lines.flatMap((part) => wrap(clean(part), cells - 3)).map((part) => line(` ${part}`, 'bad'))
  return [...reported, ...gridLines(state, Math.max(0, rows - reported.length), said)]
}

/** Lines of the screen. */
export function askScreen(state: State, cells: number): Line[] {
  const { editor, grid } = askRows(state)
  const lines = [
    headLine(state, cells),
    ...editorLines(state, cells, editor),
    stateLine(state, cells),
    ...below(state, cells, grid + 1),
  ]
  return boxOver(state, block(lines, cells, editor + grid + 3), cells)
}

// Lists over the Ask screen: places, history, and completions.

const WIDE = 100
const OFFER_ROWS = 8

/** The screen with the open list on top. */
function boxOver(state: State, screen: readonly Line[], cells: number): Line[] {
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

// Loaded rows of an answer.

/** Notes, column names, and the rows below them. */
function gridLines(state: State, rows: number, said: readonly Line[]): Line[] {
  const { answer, at, window, pane, widths } = state.ask
  const names = answer?.progress.columns ?? null
  if (answer === null || names === null || rows <= 0) return [...said].slice(0, Math.max(0, rows))
  const marks = marksOf(state.ascii)
  const columns = shownColumns(state, at.left)
  const front = numberCells(state.ask)
  const more = (columns.at(-1)?.at ?? 0) < widths.length - 1
  const head: Line = [
    span(padStart(at.left > 0 ? '←' : '', front) + ' ', 'muted'),
    ...columns.flatMap(({ at: i, cells: w }) => [
      span(padEnd(visible(names[i] ?? ''), w), i === at.column && pane === 'grid' ? 'info' : 'strong'),
      span('  '),
    ]),
  ]
  const heading = spreadLine(head, more ? line('→', 'muted') : [], state.size.columns)
  const body = Array.from({ length: rows - 1 - said.length }, (_, i): Line => {
    const index = at.top + i
    if (index >= answer.progress.rows) return []
    const row = window.rows[index - window.from]
    const number = span(padStart(`${index + 1}`, front - 1), 'muted')
    const here = index === at.row && pane === 'grid'
    if (row === undefined) return [span(here ? marks.row : ' '), number, span(' …', 'muted')]
    const drawn = columns.flatMap(({ at: c, cells: w }): Span[] => {
      const cell = row[c] ?? null
      const text = gridCellText(cell)
      const right = cell !== null && (cell.kind === 'integer' || cell.kind === 'real')
      const tone = here && c === at.column ? 'chosen' : cell === null ? 'muted' : 'plain'
      return [span(right ? padStart(cutEnd(text, w), w) : padEnd(text, w), tone), span('  ')]
    })
    return [span(here ? marks.row : ' '), number, span(' '), ...drawn]
  })
  const empty = answer.progress.rows === 0 && answer.progress.whole ? [line('   no row', 'muted')] : []
  return [...said, heading, ...empty, ...body]
}
