/** The Run screen of an active cutover: the check that it waits for, all cutover checks, and the stream. */
import { clockSpan, shownCount, numberOf, percent } from '../../../../render/screen-format.ts'
import { block, line, rule, span, type Line, type Tone } from '../../../draw/line.ts'
import { clean, cutEnd, padEnd, wrap } from '../../../../render/screen-text.ts'
import { marksOf } from '../../../draw/theme.ts'
import type { CopyProgress } from '../../../run/copy/copy-progress.ts'
import type { CutoverCheck, SwitchProgress } from '../../../run/copy/switch-progress.ts'
import type { RunView } from '../../../run/run-view.ts'
import { geometry } from '../../../state/geometry.ts'
import type { State } from '../../../state/state.ts'
import { runMark } from '../../../views/states.ts'
import { lagText } from './follow.ts'
import { titleLine } from './head.ts'
import { newestLines } from './view.ts'

const MARKED = { ok: 'ok', waiting: 'running', refused: 'refused' } as const
const NAME = 16
/** Fewest rows for a log to be shown. */
const LEAST_LOG = 3

/** The screen, `cells` wide and as high as the body. */
export function switchScreen(state: State, run: RunView, copy: CopyProgress, cells: number): Line[] {
  const { body } = geometry(state)
  const { switching } = copy
  const small = body < 12
  const { text, tone } = currentActivity(run, switching)
  const reported = wrap(clean(text), cells - 2).slice(0, small ? 2 : 3)
  const lines: Line[] = [
    titleLine(run, cells, cells >= 100),
    ...reported.map((row) => line(` ${row}`, tone)),
    line(
      ` ${cutEnd([`${clockSpan(state.now - run.startedAt)} so far`, ...streamFacts(copy)].join('    '), cells - 2)}`,
    ),
  ]
  // A small screen shows only checks that are not ok.
  const gates = [...switching.checks.values()].filter(({ state: gateState }) => !small || gateState !== 'ok')
  const gap: Line[] = small ? [] : [[]]
  const left = body - lines.length - gap.length - 1
  if (gates.length > 0 && left > 0) {
    const rows = Math.min(gates.length, left)
    lines.push(
      ...gap,
      rule(checksTitle(switching), cells),
      ...gates.slice(-rows).map((gate) => checkLine(gate, state, cells)),
    )
  }
  const log = body - lines.length - gap.length - 1
  if (log >= LEAST_LOG) lines.push(...gap, rule('log', cells), ...newestLines(state, log, cells))
  return block(lines, cells, body)
}

/** Current activity in a sentence. */
function currentActivity(
  run: RunView,
  { switched, step, checks, waitsFor }: SwitchProgress,
): { text: string; tone: Tone } {
  if (run.pausedAt !== null) return { text: 'paused: the cutover is not tried until the run is resumed', tone: 'warn' }
  if (switched !== null) {
    const { table, database, parked: oldTable, closed } = switched
    return database === undefined
      ? {
          text: `cutover done: ${table} is now the other table; from now on changes are applied to ${oldTable}`,
          tone: 'ok',
        }
      : {
          text: `cutover done: ${table} of ${database} now takes the writes; from now on changes are applied to ${closed ?? ''}`,
          tone: 'ok',
        }
  }
  if (step?.holds === true) return { text: step.text, tone: 'warn' }
  const refused = [...checks.values()].find(({ state }) => state === 'refused')
  if (refused !== undefined) return { text: `check ${refused.name} failed: ${refused.detail}`, tone: 'bad' }
  if (waitsFor !== null) return { text: `waits for check ${waitsFor.name}: ${waitText(waitsFor, run)}`, tone: 'strong' }
  if (checks.size === 0 && run.trouble !== null) return { text: run.trouble, tone: 'warn' }
  if (checks.size === 0)
    return { text: 'asking the ledger and the database whether a cutover may begin', tone: 'strong' }
  return { text: step?.text ?? 'all checks so far passed', tone: 'strong' }
}

/** What a cutover check waits for, with the progress of a comparison. */
function waitText({ name, detail }: CutoverCheck, { comparing }: RunView): string {
  if (name !== 'compared' || comparing === null) return detail
  const [done, total] = [numberOf(comparing.done) ?? 0, numberOf(comparing.total) ?? 0]
  const all = `${shownCount(done)} of ${shownCount(Math.max(done, total))}${comparing.estimated ? ' est.' : ''}`
  return `${detail}, ${percent(total > 0 ? Math.min(0.99, done / total) : null)}: ${all}`
}

/** Lag of the stream; empty before its first report. */
function streamFacts({ follow: { last } }: CopyProgress): readonly string[] {
  if (last === null) return []
  return [lagText(last), `${shownCount(numberOf(last.rate))} changes/s`, `applied ${last.position}`]
}

function checksTitle(switching: SwitchProgress): string {
  const some = (state: CutoverCheck['state'], word: string): string[] => {
    const many = switching.count(state)
    return many === 0 ? [] : [`${many} ${word}`]
  }
  return ['cutover checks', ...some('ok', 'passed'), ...some('waiting', 'waiting'), ...some('refused', 'failed')].join(
    ' · ',
  )
}

function checkLine({ name, state: gateState, detail }: CutoverCheck, state: State, cells: number): Line {
  const tone: Tone = gateState === 'refused' ? 'bad' : gateState === 'waiting' ? 'strong' : 'plain'
  return [
    span(' '),
    runMark(MARKED[gateState], marksOf(state.ascii)),
    span(` ${padEnd(clean(name), NAME)}`),
    span(cutEnd(clean(detail), cells - NAME - 4), tone),
  ]
}
