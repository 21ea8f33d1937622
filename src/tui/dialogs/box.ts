/** The frame of a dialog. */
import { fit, span, type Line } from '../draw/line.ts'
import { cutEnd, width } from '../../render/screen-text.ts'
import { marksOf } from '../draw/theme.ts'
import type { State } from '../state/state.ts'
import type { Dialog } from './state.ts'

export type Box = { readonly lines: readonly Line[]; readonly cells: number; readonly top: boolean }
/** A dialog of one kind. */
export type Of<K extends Dialog['kind']> = Extract<Dialog, { kind: K }>

/** Default width of a dialog, in cells. */
export const WIDE = 66

/** Puts `body` in a frame, with the title at the top and the keys at the bottom. */
export function framed(state: State, title: Line, body: readonly Line[], foot: string, cells: number): Line[] {
  const marks = marksOf(state.ascii)
  const [tl, tr, bl, br] = marks.corners
  const inner = cells - 4
  const head = fit([...title, span(' ')], Math.min(cells - 4, title.reduce((n, s) => n + width(s.text), 0) + 1))
  const headCells = head.reduce((n, s) => n + width(s.text), 0)
  const footText = cutEnd(foot, cells - 5)
  return [
    [span(tl + marks.dash + ' '), ...head, span(marks.dash.repeat(Math.max(0, cells - 4 - headCells)) + tr)],
    ...body.map((row): Line => [span(`${marks.bar} `), ...fit(row, inner), span(` ${marks.bar}`)]),
    [
      span(`${bl}${marks.dash} `),
      span(footText, 'muted'),
      span(` ${marks.dash.repeat(Math.max(0, cells - 5 - width(footText)))}${br}`),
    ],
  ]
}

/** A dialog in its frame. */
export function boxed(state: State, title: Line, body: readonly Line[], foot: string, cells: number): Box {
  return { lines: framed(state, title, body, foot, cells), cells, top: false }
}
