/** A list of a queue screen as a table: heading and rows, with the columns that fit the screen. */
import type { Line, Span } from '../../draw/line.ts'
import { cell, chosen, fit, span } from '../../draw/line.ts'
import { marksOf } from '../../draw/theme.ts'
import { cursorIn } from './queue-rows.ts'
import type { KeyedPosition } from './queue-shown.ts'
import type { State } from '../../state/state.ts'

/**
 * @property cells width; negative aligns to the right, 0 takes the remaining width @property from smallest screen width
 * that shows the column
 */
export type GridColumn<R> = {
  readonly title: string
  readonly cells: number
  readonly from?: number
  readonly draw: (row: R) => string | readonly Span[]
}

export type Grid = {
  readonly head: Line
  /** @param here whether the row has the cursor */
  readonly rows: readonly ((here: boolean) => Line)[]
}

/**
 * @param cells width of the screen
 * @param across text of a row without columns; null for a row with columns
 */
export function gridOf<R>(
  columns: readonly GridColumn<R>[],
  rows: readonly R[],
  cells: number,
  state: State,
  across: (row: R) => string | null = () => null,
): Grid {
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
    ...texts.flatMap((text, at) => [...place(text, shown[at]?.cells ?? 0), span(' ')]),
  ]
  const head = drawn(
    shown.map(({ title }) => title),
    '   ',
  ).map(({ text }) => span(text, 'strong'))
  return {
    head,
    rows: rows.map((row) => (here) => {
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

/** The visible rows of a list. */
export function rowsInSight(
  { rows }: Grid,
  lines: readonly { readonly key: string }[],
  at: KeyedPosition,
  height: number,
): readonly Line[] {
  const keys = lines.map(({ key }) => key)
  const cursor = cursorIn(keys, at)
  return rows.slice(at.top, at.top + height).map((draw, row) => draw(at.top + row === cursor))
}
