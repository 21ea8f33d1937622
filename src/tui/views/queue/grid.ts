/** A list of a queue's screen as columns: which of them there is room for, the head and the rows. */
import type { Line, Span } from '../../draw/line.ts'
import { cell, chosen, fit, span } from '../../draw/line.ts'
import { marksOf } from '../../draw/theme.ts'
import { cursorIn } from '../../state/queue/queue-rows.ts'
import type { KeyedPosition } from '../../state/queue/queue-shown.ts'
import type { State } from '../../state/state.ts'

/**
 * @property cells of the column; negative ones align at the right, 0 takes what is left @property from cells of a
 * screen that has room for it
 */
export type Column<R> = {
  readonly title: string
  readonly cells: number
  readonly from?: number
  readonly draw: (row: R) => string | readonly Span[]
}

export type Grid = {
  readonly head: Line
  /** @param here whether the cursor stands on it */
  readonly rows: readonly ((here: boolean) => Line)[]
}

/**
 * @param cells of the screen
 * @param across the text of a row that has no columns; null for one that has
 */
export function gridOf<R>(
  columns: readonly Column<R>[],
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

/** The rows of a list that are on the screen. */
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
