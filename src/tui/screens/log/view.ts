/** The Log screen: messages of this session, newest last. */
import { fullTime, timeOfDay } from '../../../render/screen-format.ts'
import { block, chosen, line, span, type Line } from '../../draw/line.ts'
import { cutEnd, wrap } from '../../../render/screen-text.ts'
import { geometry, logHeight } from '../../state/geometry.ts'
import { logRows } from '../../state/selectors.ts'
import type { State } from '../../state/state.ts'

/** The screen. A long line under the cursor is shown in full at the bottom. */
export function logScreen(state: State, cells: number): Line[] {
  const { body } = geometry(state)
  const rows = logRows(state)
  const height = logHeight(state)
  const { top, cursor } = state.log.at
  const title = `${state.log.filter === '' ? '' : ` filter ${state.log.filter} ·`} ${rows.length} of ${state.log.entries.length} lines kept`
  if (rows.length === 0)
    return block(
      [line(title, 'muted'), line(state.log.entries.length === 0 ? '   no lines yet' : '   no line matches', 'muted')],
      cells,
      body,
    )
  const lines = rows.slice(top, top + height).map((entry, i): Line => {
    const tone = entry.level === 'error' ? 'bad' : entry.level === 'warn' ? 'warn' : 'plain'
    const here = top + i === cursor && !state.log.follow
    const time = cells >= 100 ? fullTime(entry.ts) : timeOfDay(entry.ts)
    const drawn: Line = [
      span(` ${time} `, 'muted'),
      span(cutEnd(entry.text, Math.max(10, cells - time.length - 3)), tone),
    ]
    return here ? chosen(drawn, cells) : drawn
  })
  const chosenText = state.log.follow ? undefined : rows[cursor]?.text
  const whole = chosenText === undefined ? [] : wrap(chosenText, Math.max(10, cells - 2))
  if (whole.length > 1 && lines.length + 1 > body - whole.length - 1) {
    const keep = Math.max(1, body - 2 - whole.length)
    const from = Math.max(0, Math.min(lines.length - keep, cursor - top - Math.floor(keep / 2)))
    return block(
      [line(title, 'muted'), ...lines.slice(from, from + keep), [], ...whole.map((t) => line(` ${t}`, 'strong'))],
      cells,
      body,
    )
  }
  return block([line(title, 'muted'), ...lines], cells, body)
}
