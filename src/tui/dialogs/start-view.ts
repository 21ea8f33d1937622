/** Dialog with the plan of a command before it starts: lines of the plan, the name to type, and two buttons. */
import { amount } from '../../render/screen-format.ts'
import { line, span, type Line } from '../draw/line.ts'
import { clean, cutMiddle, width, wrap } from '../../render/screen-text.ts'
import { marksOf } from '../draw/theme.ts'
import { outputTone } from '../run/output.ts'
import { activeRun } from '../state/selectors.ts'
import { canGo, wantsName } from './start-dialog.ts'
import type { State } from '../state/state.ts'
import { around } from '../state/text-field.ts'
import { boxed, type Box, type Of } from './box.ts'
import { isWide, planRows } from './plan-rows.ts'

const MOST_CELLS = 140
/** Fewest visible rows of the plan. */
const LEAST_ROOM = 3

/** The plan of a command. */
export function startBox(d: Of<'start'>, state: State): Box {
  const cells = cellsOf(state)
  const { head, rows, tail, room } = parts(d, state)
  const top = Math.max(0, Math.min(d.top, rows.length - room))
  const body: Line[] = [...head, ...rows.slice(top, top + room), ...tail]
  const where = rows.length > room ? ` · ${top + 1}–${Math.min(rows.length, top + room)} of ${rows.length}` : ''
  const scroll = rows.length > room ? (wantsName(d) ? '↑ ↓ scroll · ' : 'j k scroll · ') : ''
  const sideways =
    !wantsName(d) && d.lines.some((text) => isWide(text, cells - 4, d.read?.lists)) ? '← → columns · ' : ''
  const keys =
    d.state === 'ready' && d.read?.lists !== true
      ? `tab Start · ${scroll}${sideways}${wantsName(d) ? '' : 'y copies · '}esc back`
      : `${scroll}${sideways}y copies · esc back`
  const title: Line = [
    span(`${cutMiddle(clean(d.of.title), 40)} · ${d.read?.lists === true ? 'answer' : 'plan'}`, 'strong'),
  ]
  return boxed(state, title, body, `${keys}${where}`, cells)
}

/** First visible line of the plan after a move. */
export function scrolledStart(d: Of<'start'>, state: State, by: number): number {
  const { rows, room } = parts(d, state)
  const last = Math.max(0, rows.length - room)
  const step = Math.abs(by) === 1 ? by : Math.sign(by) * Math.max(1, room - 1)
  return Math.max(0, Math.min(last, Math.min(d.top, last) + step))
}

/** Cells scrolled off at the left, after `←` or `→`. */
export function movedSideways(d: Of<'start'>, state: State, by: number): number {
  const inner = cellsOf(state) - 4
  const widest = Math.max(
    0,
    ...d.lines.filter((text) => isWide(text, inner, d.read?.lists)).map((text) => width(clean(text))),
  )
  return Math.max(0, Math.min(widest - inner, d.left + by))
}

type Parts = { readonly head: Line[]; readonly rows: Line[]; readonly tail: Line[]; readonly room: number }

function parts(d: Of<'start'>, state: State): Parts {
  const inner = cellsOf(state) - 4
  const labelled = (label: string, text: string, tone: 'plain' | 'muted' | 'strong' | 'bad' | 'warn'): Line[] =>
    wrap(clean(text), inner - 6).map((part, at) => [
      span(at === 0 ? label.padEnd(6) : '      ', 'muted'),
      span(part, tone),
    ])
  const plan = d.read?.lists === true ? undefined : d.read?.plan?.commandLine
  const head: Line[] = [
    ...labelled('do', d.of.command, 'strong'),
    // The row is left out if the plan command differs from the command only by `--dry-run`.
    ...(plan === undefined || plan === `${d.of.command} --dry-run` ? [] : labelled('plan', plan, 'muted')),
    [],
  ]
  const rows = d.lines.flatMap((text): Line[] =>
    planRows(text, inner, d.left, d.read?.lists).map((part) => line(part, outputTone(text))),
  )
  if (d.state === 'reading') rows.push(line(d.read?.lists === true ? '…' : 'planning …', 'muted'))
  // Skip the error if a line of the output already shows it.
  if (d.error !== null && !d.lines.some((text) => outputTone(text) === 'bad')) {
    const { code, message, where, reason, hint } = d.error
    rows.push(
      ...labelled('why', `${code} ${message}`, 'bad'),
      ...(reason === undefined ? [] : labelled('', reason, 'plain')),
      ...(where === undefined ? [] : labelled('where', where, 'plain')),
      ...(hint === undefined ? [] : labelled('do', hint, 'strong')),
    )
  }
  const tail = [[], ...ending(d, state, inner)]
  // Four rows are not available: two of the frame, and an empty one above and below the dialog.
  const free = state.size.rows - 4 - tail.length
  if (free >= head.length + LEAST_ROOM) return { head, rows, tail, room: free - head.length }
  // With too few rows, the command line is scrolled together with the plan, so that the buttons stay visible.
  return { head: [], rows: [...head, ...rows], tail: tail.slice(1), room: Math.max(1, free + 3) }
}

function ending(d: Of<'start'>, state: State, inner: number): Line[] {
  if (d.read?.lists === true) {
    const texts = {
      reading: 'asking …',
      ready: 'that is all; nothing was changed',
      failed: 'the plan could not be shown in full',
    }
    return [line(texts[d.state], d.state === 'failed' ? 'bad' : 'muted')]
  }
  if (d.state === 'reading') return [line('nothing has started', 'muted')]
  if (d.state === 'failed') return [line('nothing was started: the plan shows why', 'bad')]
  const { typed } = d
  const running = activeRun(state)
  const lines: Line[] = []
  if (running !== undefined) {
    const text = `The UI works on one run at a time: this one begins when ${running.operation.kind} has ended. x on the Runs screen (2) stops the active run and drops the waiting ones. y copies the command for another terminal.`
    lines.push(...wrap(text, inner).map((part) => line(part, 'warn')))
  }
  const refused = d.lines.filter((text) => outputTone(text) !== 'plain').length
  if (refused > 0) {
    const text = `${amount(refused, 'line')} of the plan ${refused === 1 ? 'reports' : 'report'} a problem.`
    lines.push(...wrap(text, inner).map((part) => line(part, 'warn')))
  }
  if (typed !== null) lines.push(...wrap(clean(`At stake: ${typed.what}.`), inner).map((part) => line(part, 'warn')))
  if (typed?.name === null)
    return [...lines, line('Its name can be confirmed only in a shell: y copies the command.', 'bad')]
  if (typed !== null) {
    const [before, after] = around(d.field)
    lines.push([
      span(`Type ${clean(typed.name ?? '')} to continue:  `),
      span(clean(before), 'strong'),
      span(marksOf(state.ascii).caret, 'info'),
      span(clean(after), 'strong'),
    ])
  }
  const can = canGo(d)
  lines.push(
    d.focus === 'back'
      ? [span('[ Go back ]', 'chosen'), span(`     Start${can ? ' (tab goes there)' : ' (needs the name)'}`, 'muted')]
      : [
          span('  Go back   '),
          span('[ Start ]', 'chosen'),
          span(can ? '  enter starts it' : '  needs the name', can ? 'plain' : 'bad'),
        ],
  )
  return lines
}

const cellsOf = ({ size }: State): number => Math.min(size.columns, MOST_CELLS)
