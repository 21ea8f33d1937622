/** The Ask screen: place, statement, status, and rows of the answer. */
import type { AskProgress } from '../../../app/ask/port.ts'
import { bytes, shownCount, amount, took } from '../../../render/screen-format.ts'
import type { Line } from '../../draw/line.ts'
import { block, line, rule, span, spreadLine } from '../../draw/line.ts'
import { clean, cutMiddle, wrap } from '../../../render/screen-text.ts'
import { marksOf } from '../../draw/theme.ts'
import { editorText } from './ask-editor.ts'
import { askRows } from './ask-grid.ts'
import { currentAskPlace, askPlaceText } from './ask-places.ts'
import type { State } from '../../state/state.ts'
import { boxOver } from './box.ts'
import { editorLines } from './editor.ts'
import { gridLines } from './grid.ts'

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
