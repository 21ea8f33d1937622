/** The four lifecycle phases of a table: those that need action first, then the others in order. */
import type { LifecyclePhaseEvent, LifecycleState } from '../../../model/partition/lifecycle-events.ts'
import { line, rule, span, type Line, type Tone } from '../../draw/line.ts'
import { clean, padEnd, wrap } from '../../../render/screen-text.ts'
import { urgentFirst, type LifecycleShown } from './lifecycle-shown.ts'

const NUMBERS = ['', 'I', 'II', 'III', 'IV']
const STATE = 15
const NAME = 20
const INDENT = 4
const LABEL = 5

const TONES: Readonly<Record<LifecycleState, Tone>> = {
  blocked: 'bad',
  due: 'warn',
  running: 'info',
  done: 'plain',
  'not begun': 'muted',
  'not asked for': 'muted',
}

/** A row of the view, and the command that the row shows; null if it shows none. */
export type LifecycleRow = { readonly line: Line; readonly command: string | null }

/** Lines of the phases for a width of `cells`; the first line is the title. */
export function lifecycleLines(shown: LifecycleShown, cells: number): Line[] {
  return [
    rule(lifecycleTitle(shown), cells),
    ...lifecycleRows(shown, cells - 2).map((row): Line => [span(' '), ...row.line]),
  ]
}

/** Title, with the number of phases that need action. */
export function lifecycleTitle({ phases, reading }: LifecycleShown): string {
  const due = phases.filter(({ state }) => state === 'due' || state === 'blocked').length
  return [
    'lifecycle',
    ...(due === 0 ? [] : [`${due} due or blocked`]),
    ...(reading && phases.length > 0 ? ['looking again …'] : []),
  ].join(' · ')
}

/** The rows without a title. */
export function lifecycleRows({ phases, error, reading }: LifecycleShown, cells: number): readonly LifecycleRow[] {
  const reported = (text: string, tone: Tone): readonly LifecycleRow[] =>
    wrap(clean(text), cells).map((part) => ({ line: line(part, tone), command: null }))
  if (error !== null && !reading) {
    const { code, message, where, hint } = error
    return [
      ...reported(`${code} ${message}`, 'bad'),
      ...(where === undefined ? [] : reported(`where: ${where}`, 'plain')),
      ...(hint === undefined ? [] : reported(`do: ${hint}`, 'strong')),
    ]
  }
  if (phases.length === 0) return reported('reading its phases …', 'muted')
  return urgentFirst({ phases }).flatMap((phase) => band(phase, cells))
}

function band(
  { phase, name, state, detail, blocks = [], next, also = [] }: LifecyclePhaseEvent,
  cells: number,
): LifecycleRow[] {
  const under = (label: string, text: string, tone: Tone, command: string | null = null): readonly LifecycleRow[] =>
    wrap(clean(text), cells - INDENT - LABEL).map((part, at) => ({
      line: [span(' '.repeat(INDENT)), span(padEnd(at === 0 ? label : '', LABEL), 'muted'), span(part, tone)],
      command,
    }))
  const head: Line = [
    span(padEnd(state, STATE), TONES[state]),
    span(padEnd(`${(NUMBERS[phase] ?? '').padEnd(4)}${name}`, NAME), TONES[state]),
  ]
  return [
    { line: head, command: null },
    ...under('', detail, 'plain'),
    ...blocks.flatMap((block) => under('why', block, 'bad')),
    ...(next === undefined ? [] : under('do', next, 'strong', next)),
    ...also.flatMap((command) => under('or', command, 'plain', command)),
  ]
}
