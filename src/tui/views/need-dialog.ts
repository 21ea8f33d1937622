/** The dialog that says why a table needs somebody, and what `enter` does about it. */
import { line, span, type Line } from '../draw/line.ts'
import { clean, wrap } from '../../render/screen-text.ts'
import { needyRows } from '../state/needy.ts'
import type { State } from '../state/state.ts'
import type { Box, Of } from './box.ts'
import { framed } from './box.ts'

/** As wide as its sentences want. */
export function needBox(d: Of<'need'>, state: State): Box {
  const cells = Math.min(state.size.columns, 100)
  const one = needyRows(state).find(({ key }) => key === d.key)
  const body: Line[] = (one?.why ?? ['nothing any more: it was mended meanwhile']).flatMap((text, i) =>
    wrap(clean(text), cells - 4).map((row) => line(row, i === 0 && one?.mark === 'bad' ? 'bad' : 'plain')),
  )
  if (one?.mend != null) body.push([], [span('enter ', 'strong'), span(one.mend.what)])
  const foot = one?.mend == null ? 'esc closes' : 'enter does that · esc closes'
  const room = Math.max(3, state.size.rows - 2)
  const title = line(`${clean(one?.name ?? d.key)} needs you`, 'strong')
  return { lines: framed(state, title, body.slice(0, room), foot, cells), cells, top: false }
}
