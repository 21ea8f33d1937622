/** Dialog with the plan of an import. */
import type { PlanLine } from '../../model/run/event.ts'
import { bytes, numberOf, amount, seconds } from '../../render/screen-format.ts'
import { line, span, type Line } from '../draw/line.ts'
import { clean, cutMiddle, padEnd, width, wrap } from '../../render/screen-text.ts'
import type { State } from '../state/state.ts'
import { WIDE, boxed, type Box, type Of } from './box.ts'

function planLine(p: PlanLine, name: number): Line[] {
  const front = padEnd(cutMiddle(clean(p.table), name), name)
  if (p.error !== undefined)
    return [
      [
        span(`${front} `),
        span(clean(`${p.status}: ${p.error.code} ${p.error.message}`), p.status === 'refused' ? 'warn' : 'bad'),
      ],
    ]
  if (p.status === 'current')
    return [[span(`${front} `), span(`nothing to do, v${p.toVersion ?? '?'} is in the catalog`, 'muted')]]
  const range =
    p.fromVersion === undefined || p.toVersion === undefined
      ? 'v?'
      : p.fromVersion === p.toVersion
        ? `v${p.toVersion}`
        : `v${p.fromVersion}–v${p.toVersion}`
  const time = p.estimatedMs === undefined ? '' : `~${seconds(p.estimatedMs)}`
  return [
    line(
      `${front} ${padEnd(range, 13)}${(p.files === undefined ? '? files' : amount(numberOf(p.files), 'file')).padStart(14)}${bytes(numberOf(p.bytes)).padStart(10)}${time.padStart(9)}${p.status === 'resume' ? '  resumes' : ''}`,
    ),
  ]
}

/** True if the plan contains a table to import. */
export function canStart(d: Of<'plan'>): boolean {
  return d.lines.some((p) => p.status === 'import' || p.status === 'resume')
}

function planSummary(d: Of<'plan'>, state: State, cells: number): Line[] {
  const logs = d.lines.filter((p) => p.status === 'import' || p.status === 'resume').map((p) => numberOf(p.logBytes))
  const sum = logs.every((n) => n !== null) ? logs.reduce((a, b) => a + b, 0) : null
  return [
    [],
    line(`reads ${bytes(sum)} of logs, writes to ${cutMiddle(clean(state.catalog ?? ''), Math.max(10, cells - 36))}`),
    line(
      state.lake === null ? 'no log is changed' : `nothing is changed in ${cutMiddle(clean(state.lake), cells - 24)}`,
    ),
    [],
    line('y copies the command that does the same without the UI'),
  ]
}

/** The plan of an import. */
export function planBox(d: Of<'plan'>, state: State): Box {
  const cells = Math.min(state.size.columns, Math.max(WIDE, Math.min(90, state.size.columns - 20)))
  const inner = cells - 4
  const room = Math.max(3, state.size.rows - 11)
  const longest = Math.max(12, ...d.lines.map((p) => width(clean(p.table))))
  const name = Math.min(longest + 1, Math.max(16, inner - 46))
  const all = d.lines.flatMap((p) => planLine(p, name))
  const top = Math.max(0, Math.min(d.top, all.length - room))
  const body: Line[] = []
  if (d.state === 'reading') body.push(line('planning: reading the logs …', 'muted'))
  if (d.error !== null) {
    const why = `${d.error.code} ${d.error.message}${d.error.hint === undefined ? '' : ` · do: ${d.error.hint}`}`
    body.push(...wrap(clean(why), inner).map((t) => line(t, 'bad')))
  } else if (d.state === 'failed') body.push(line('the plan failed; the log (4) shows why', 'bad'))
  body.push(...all.slice(top, top + room))
  if (all.length > room)
    body.push(line(`${top + 1}–${Math.min(all.length, top + room)} of ${all.length} · j k scroll`, 'muted'))
  if (d.state === 'ready') {
    if (canStart(d)) body.push(...planSummary(d, state, inner))
    else body.push([], line('nothing here can be imported now'))
  }
  const foot =
    d.state === 'ready'
      ? d.start && canStart(d)
        ? 'enter starts · y copies · esc cancels'
        : 'nothing starts from here · y copies · esc closes'
      : 'esc cancels'
  return boxed(state, line(clean(d.title), 'strong'), body, foot, cells)
}
