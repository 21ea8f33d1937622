/** The four phases of a table as bands: what somebody has to do first, then the others in their order. */
import { LIFECYCLE_STATES, type LifecyclePhaseEvent, type LifecycleState } from '../../model/lifecycle-events.ts'
import type { Line, Tone } from '../draw/line.ts'
import { line, rule, span } from '../draw/line.ts'
import { clean, cutEnd, padEnd, wrap } from '../draw/text.ts'
import type { LifecycleShown } from '../state/lifecycle-shown.ts'

const NUMBERS = ['', 'I', 'II', 'III', 'IV']
const STATE = 15
const NAME = 20
const INDENT = 4

const TONES: Readonly<Record<LifecycleState, Tone>> = {
  blocked: 'bad',
  due: 'warn',
  running: 'info',
  done: 'plain',
  'not begun': 'muted',
  'not asked for': 'muted',
}

/** The picture in lines of `cells`, with a title. */
export function lifecycleLines(shown: LifecycleShown, cells: number): Line[] {
  const [title, ...rest] = pictureLines(shown, cells - 2)
  return [rule(title, cells), ...rest.map((one): Line => [span(' '), ...one])]
}

/** The same as plain text, for a dialog of `cells`; its first line is a title. */
export function lifecycleText(shown: LifecycleShown, cells: number): readonly string[] {
  const [title, ...rest] = pictureLines(shown, cells)
  return [title, ...rest.map((one) => one.map(({ text }) => text).join(''))]
}

/** What somebody has to do first; null where nothing is to be done. */
export function urgentCommand({ phases }: LifecycleShown): string | null {
  return urgentFirst(phases).find(({ next }) => next !== undefined)?.next ?? null
}

/** Blocked and due ones first; phases of one state stay in their order. */
function urgentFirst(phases: readonly LifecyclePhaseEvent[]): readonly LifecyclePhaseEvent[] {
  const rank = ({ state }: LifecyclePhaseEvent): number => Math.min(LIFECYCLE_STATES.indexOf(state), 2)
  return phases.toSorted((a, b) => rank(a) - rank(b) || a.phase - b.phase)
}

function pictureLines({ phases, error }: LifecycleShown, cells: number): readonly [string, ...Line[]] {
  if (error !== null) return ['lifecycle', line(cutEnd(clean(`${error.code} ${error.message}`), cells), 'bad')]
  if (phases.length === 0) return ['lifecycle', line('reading its phases …', 'muted')]
  const due = phases.filter(({ state }) => state === 'due' || state === 'blocked').length
  return [
    due === 0 ? 'lifecycle' : `lifecycle · ${due} due or blocked`,
    ...urgentFirst(phases).flatMap((one) => band(one, cells)),
  ]
}

function band({ phase, name, state, detail, blocks = [], next }: LifecyclePhaseEvent, cells: number): readonly Line[] {
  const under = (label: string, text: string, tone: Tone): readonly Line[] =>
    wrap(clean(text), cells - INDENT - 5).map((part, at) => [
      span(' '.repeat(INDENT)),
      span(padEnd(at === 0 ? label : '', 5), 'muted'),
      span(part, tone),
    ])
  return [
    [
      span(padEnd(state, STATE), TONES[state]),
      span(padEnd(`${(NUMBERS[phase] ?? '').padEnd(4)}${name}`, NAME), TONES[state]),
    ],
    ...under('', detail, 'plain'),
    ...blocks.flatMap((block) => under('why', block, 'bad')),
    ...(next === undefined ? [] : under('do', next, 'strong')),
  ]
}
