/** Loaded rows of an answer. */
import { visible } from '../../../shared/visible.ts'
import type { Line, Span } from '../../draw/line.ts'
import { line, span, spreadLine } from '../../draw/line.ts'
import { cutEnd, padEnd, padStart } from '../../../render/screen-text.ts'
import { marksOf } from '../../draw/theme.ts'
import { gridCellText, numberCells, shownColumns } from './ask-grid.ts'
import type { State } from '../../state/state.ts'

/** Notes, column names, and the rows below them. */
export function gridLines(state: State, rows: number, said: readonly Line[]): Line[] {
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
