/** A list of a queue screen as a table: heading and rows, with the columns that fit the screen. */
import { cell, chosen, fit, span, type Line, type Span } from '../../draw/line.ts'
import { marksOf } from '../../draw/theme.ts'
import { cursorIn } from './queue-rows.ts'
import type { KeyedPosition } from './queue-shown.ts'
import type { State } from '../../state/state.ts'

/**
 * @property cells width; negative aligns to the right, 0 takes the remaining width
 * @property from smallest screen width that shows the column
 */
export type GridColumn<R> = {
  readonly title: string
  readonly cells: number
  readonly from?: number
  readonly draw: (row: R) => string | readonly Span[]
}

/**
 * The heading and the visible rows of a list.
 * @param height visible rows
 * @param cells width of the screen
 * @param across text of a row without columns; null for a row with columns
 */
export function gridOf<R extends { readonly key: string }>(
  columns: readonly GridColumn<R>[],
  rows: readonly R[],
  at: KeyedPosition,
  height: number,
  cells: number,
  state: State,
  across: (row: R) => string | null = () => null,
): { readonly head: Line; readonly rows: readonly Line[] } {
  const shown = columns.filter(({ from = 0 }) => cells >= from)
  const marks = marksOf(state.ascii)
  const fixed = shown.reduce((sum, column) => sum + Math.abs(column.cells) + 1, 3)
  const wide = Math.max(0, cells - fixed)
  const place = (text: string | readonly Span[], size: number): readonly Span[] => {
    if (typeof text === 'string') return [cell(text, size === 0 ? wide : size)]
    return fit(text, Math.abs(size))
  }
  const drawn = (texts: readonly (string | readonly Span[])[], lead: string): Line => [
    span(lead),
    ...texts.flatMap((text, nth) => [...place(text, shown[nth]?.cells ?? 0), span(' ')]),
  ]
  const head = drawn(
    shown.map(({ title }) => title),
    '   ',
  ).map(({ text }) => span(text, 'strong'))
  const cursor = cursorIn(
    rows.map(({ key }) => key),
    at,
  )
  return {
    head,
    rows: rows.slice(at.top, at.top + height).map((row, nth) => {
      const here = at.top + nth === cursor
      const lead = here ? ` ${marks.row} ` : '   '
      const text = across(row)
      const one =
        text === null
          ? drawn(
              shown.map(({ draw }) => draw(row)),
              lead,
            )
          : [span(`${lead}${text}`)]
      return here ? chosen(one, cells) : one
    }),
  }
}
