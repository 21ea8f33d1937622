/** Dialogs as boxes of lines, drawn over the screen. */
import type { PlanLine } from '../../model/event.ts'
import { bytes, count, numberOf, percent, plural, seconds } from '../draw/format.ts'
import type { Line } from '../draw/line.ts'
import { chosen, fit, line, span } from '../draw/line.ts'
import { clean, cutEnd, cutMiddle, padEnd, width, wrap, wrapLabelled } from '../draw/text.ts'
import { marksOf } from '../draw/theme.ts'
import { share } from '../run/run-view.ts'
import { activeRun, known } from '../state/selectors.ts'
import type { Dialog, State } from '../state/state.ts'
import { around } from '../state/text-field.ts'
import { helpLines } from './help.ts'
import { paletteLines } from './palette.ts'
import { subject } from './runs.ts'

export type Box = { readonly lines: readonly Line[]; readonly cells: number; readonly top: boolean }
type Of<K extends Dialog['kind']> = Extract<Dialog, { kind: K }>

const WIDE = 66

function framed(state: State, title: Line, body: readonly Line[], foot: string, cells: number): Line[] {
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
      `${front} ${padEnd(range, 13)}${(p.files === undefined ? '? files' : plural(numberOf(p.files), 'file')).padStart(14)}${bytes(numberOf(p.bytes)).padStart(10)}${time.padStart(9)}${p.status === 'resume' ? '  goes on' : ''}`,
    ),
  ]
}

/** Whether the plan holds any table that an import would touch. */
export function canStart(d: Of<'plan'>): boolean {
  return d.lines.some((p) => p.status === 'import' || p.status === 'resume')
}

function planSummary(d: Of<'plan'>, state: State, cells: number): Line[] {
  const logs = d.lines.filter((p) => p.status === 'import' || p.status === 'resume').map((p) => numberOf(p.logBytes))
  const sum = logs.every((n) => n !== null) ? logs.reduce((a, b) => a + b, 0) : null
  return [
    [],
    line(`reads ${bytes(sum)} of logs, writes to ${cutMiddle(clean(state.catalog), Math.max(10, cells - 36))}`),
    line(
      state.lake === null ? 'no log is changed' : `nothing is changed in ${cutMiddle(clean(state.lake), cells - 24)}`,
    ),
    [],
    line('y copies the command that does the same without the UI'),
  ]
}

function planBox(d: Of<'plan'>, state: State): Box {
  const cells = Math.min(state.size.columns, Math.max(WIDE, Math.min(90, state.size.columns - 20)))
  const inner = cells - 4
  const room = Math.max(3, state.size.rows - 11)
  const longest = Math.max(12, ...d.lines.map((p) => width(clean(p.table))))
  const name = Math.min(longest + 1, Math.max(16, inner - 46))
  const all = d.lines.flatMap((p) => planLine(p, name))
  const top = Math.max(0, Math.min(d.top, all.length - room))
  const body: Line[] = []
  if (d.state === 'reading') body.push(line('reading the logs to see what there is to do …', 'muted'))
  if (d.error !== null) {
    const why = `${d.error.code} ${d.error.message}${d.error.hint === undefined ? '' : ` · do: ${d.error.hint}`}`
    body.push(...wrap(clean(why), inner).map((t) => line(t, 'bad')))
  } else if (d.state === 'failed') body.push(line('the plan could not be made; the log (4) says why', 'bad'))
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
  return { lines: framed(state, line(clean(d.title), 'strong'), body, foot, cells), cells, top: false }
}

function rollbackBox(d: Of<'rollback'>, state: State): Box {
  const cells = Math.min(state.size.columns, Math.max(WIDE, Math.min(90, state.size.columns - 20)))
  const inner = cells - 4
  const marks = marksOf(state.ascii)
  const overview = known(state, 'overview', d.row.key)
  const fact = (label: string, text: string, tone: 'plain' | 'ok' | 'bad' = 'plain'): Line[] =>
    wrap(clean(text), Math.max(10, inner - 10))
      .slice(0, 2)
      .map((t, i) => [span(`  ${(i === 0 ? label : '').padEnd(8)}`, 'muted'), span(t, tone)])
  const body: Line[] = [
    line('Removes this table from the catalog. The log stays as it is.'),
    [],
    ...fact(
      'goes',
      `what the catalog holds: ${plural(overview?.commits ?? null, 'commit')}, ${plural(d.row.files, 'active file')}`,
    ),
    ...fact('stays', `${d.row.location}/_delta_log`),
    ...d.lines.flatMap((l) => fact(l.label, l.text, l.tone)),
  ]
  if (d.state === 'checking') body.push(...fact('safe?', 'reading the log again …'))
  if (d.state === 'safe') body.push(...fact('safe', 'yes: the log can say everything again', 'ok'))
  if (d.state === 'unsafe')
    body.push(...fact('safe', `no: ${d.error?.message ?? 'the log does not hold everything the catalog does'}`, 'bad'))
  if (d.state === 'failed') body.push(...fact('safe', `not known: ${d.error?.message ?? 'the check failed'}`, 'bad'))
  if (d.error?.hint !== undefined) body.push(...fact('do', d.error.hint))
  const [before, after] = around(d.field)
  const exact = d.field.text === d.row.name && d.state === 'safe'
  body.push(
    [],
    [
      span('Type the table name to go on:  '),
      span(clean(before), 'strong'),
      span(marks.caret, 'info'),
      span(clean(after), 'strong'),
    ],
    [],
    d.focus === 'cancel'
      ? [
          span('            '),
          span('[ Cancel ]', 'chosen'),
          span(
            `        Roll back${exact ? ' (tab goes there)' : d.state === 'safe' || d.state === 'checking' ? ' (needs the name)' : ' (not safe)'}`,
            'muted',
          ),
        ]
      : [
          span('              Cancel          '),
          span('[ Roll back ]', 'chosen'),
          span(
            exact
              ? ''
              : d.state === 'safe' || d.state === 'checking'
                ? '  needs the name'
                : '  not while it is not safe',
            'bad',
          ),
        ],
  )
  const foot = `esc cancels · same as: ${d.commandLine.replace(/ --database-url \S+/, '')}`
  return {
    lines: framed(state, line(`Roll back ${clean(d.row.name)}`, 'strong'), body, foot, cells),
    cells,
    top: false,
  }
}

function choiceBox(
  state: State,
  title: string,
  question: string,
  choices: readonly (readonly [string, string])[],
  at: number,
  foot: string,
): Box {
  const cells = Math.min(state.size.columns, WIDE)
  const marks = marksOf(state.ascii)
  const body: Line[] = [
    ...wrap(question, cells - 4).map((t) => line(t)),
    [],
    ...choices.map(([what, then], i) => {
      const drawn = line(`${i === at ? marks.row : ' '} ${padEnd(what, 35)}${then}`)
      return i === at ? chosen(drawn, cells - 4) : drawn
    }),
  ]
  return { lines: framed(state, line(title, 'strong'), body, foot, cells), cells, top: false }
}

function goingOn(state: State): string {
  const run = activeRun(state)
  if (run === undefined) return 'It has just ended.'
  const lanes = run.lanes.length === 0 ? '' : `, ${plural(run.lanes.length, 'lane')}`
  const more = state.runs.queue.length === 0 ? '' : `, ${state.runs.queue.length} more in line`
  return `${run.operation.kind} of ${cutMiddle(clean(subject(run.operation)), 24)}, ${percent(share(run))}${lanes}${more}.`
}

function textBox(d: Of<'text'>, state: State): Box {
  const cells = Math.min(state.size.columns, 140)
  const inner = cells - 4
  const room = Math.max(3, state.size.rows - 4)
  const rows = d.lines.flatMap((text) => wrapLabelled(clean(text), inner))
  const top = Math.max(0, Math.min(d.top, rows.length - room))
  const where = rows.length > room ? ` · ${top + 1}–${top + room} of ${count(rows.length)}` : ''
  const body = rows.slice(top, top + room).map((t) => line(t))
  return {
    lines: framed(state, line(clean(d.title), 'strong'), body, `j k scroll · y copies · esc closes${where}`, cells),
    cells,
    top: false,
  }
}

function helpBox(d: Of<'help'>, state: State): Box {
  const cells = Math.min(state.size.columns, 120)
  const room = Math.max(3, state.size.rows - 2)
  const all = helpLines(state, d.field.text, cells - 4)
  const top = Math.max(0, Math.min(d.top, all.length - room))
  const body = Array.from({ length: room }, (_, i) => all[top + i] ?? [])
  const find =
    d.typing || d.field.text !== '' ? ` · / ${d.field.text}${d.typing ? marksOf(state.ascii).caret : ''}` : ''
  const more = all.length > room ? ` · ${top + 1}–${Math.min(all.length, top + room)} of ${all.length}` : ''
  const names = { tables: 'Tables', runs: 'Runs', compare: 'Compare', log: 'Log' }
  return {
    lines: framed(
      state,
      line(`Keys · ${names[state.screen]}${find}`, 'strong'),
      body,
      `/ finds a key · j k scroll · esc closes${more}`,
      cells,
    ),
    cells,
    top: true,
  }
}

/** The box of a dialog. */
export function dialogBox(d: Dialog, state: State): Box {
  switch (d.kind) {
    case 'plan':
      return planBox(d, state)
    case 'rollback':
      return rollbackBox(d, state)
    case 'quit':
      return choiceBox(
        state,
        'A run is going on',
        `${goingOn(state)} What should happen?`,
        [
          ['Stop after the running batches', 'resumable; then leaves'],
          ['Leave it running, go back', 'q asks again'],
          ['Abort now', 'resumable, batch undone'],
        ],
        d.choice,
        'enter chooses · esc goes back · ctrl-c stops',
      )
    case 'abort':
      return choiceBox(
        state,
        'Abort the run',
        goingOn(state),
        [
          ['Go back, let it run', ''],
          ['Abort now', 'resumable, the running batch is undone'],
        ],
        d.choice,
        'enter chooses · esc goes back',
      )
    case 'palette': {
      const cells = Math.min(state.size.columns, WIDE)
      const rows = Math.max(1, Math.min(12, state.size.rows - 6))
      const [before, after] = around(d.field)
      const title: Line = [
        span(`: ${before}`, 'strong'),
        span(marksOf(state.ascii).caret, 'info'),
        span(after, 'strong'),
      ]
      return {
        lines: framed(state, title, paletteLines(state, cells - 4, rows), 'enter runs · esc closes', cells),
        cells,
        top: false,
      }
    }
    case 'text':
      return textBox(d, state)
    case 'help':
      return helpBox(d, state)
  }
}
