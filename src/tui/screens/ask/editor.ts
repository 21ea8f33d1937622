/** The statement as lines, with the caret visible. */
import { fit, span, type Line, type Span } from '../../draw/line.ts'
import { clean, takeStart, width } from '../../../render/screen-text.ts'
import { marksOf } from '../../draw/theme.ts'
import { beforeCaret } from './ask-editor.ts'
import type { State } from '../../state/state.ts'

/** First visible line. */
export function editorTop(lines: number, row: number, rows: number): number {
  return Math.max(0, Math.min(row - Math.floor(rows / 2), lines - rows))
}

/** Exactly `rows` lines. */
export function editorLines(state: State, cells: number, rows: number): Line[] {
  const { editor, pane } = state.ask
  const marks = marksOf(state.ascii)
  const top = editorTop(editor.lines.length, editor.row, rows)
  // All lines scroll sideways together, to keep them aligned.
  const before = clean(beforeCaret(editor))
  const inner = cells - 5
  const hidden = Math.max(0, width(before) - inner + 1)
  return Array.from({ length: rows }, (_, i): Line => {
    const at = top + i
    const text = editor.lines[at]
    const front = span(
      text === undefined ? '   ' : ` ${pane === 'editor' && at === editor.row ? marks.row : ' '} `,
      'info',
    )
    if (text === undefined) return [front]
    if (at !== editor.row || pane !== 'editor') return fit([front, span(behind(clean(text), hidden))], cells)
    const parts: Span[] = [
      front,
      span(behind(before, hidden)),
      span(marks.caret, 'info'),
      span(clean(text.slice(editor.column))),
    ]
    return fit(parts, cells)
  })
}

function behind(text: string, cells: number): string {
  return cells === 0 ? text : text.slice(takeStart(text, cells).length)
}
