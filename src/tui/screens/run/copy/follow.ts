/** The head of a copy's screen during replication: live tables, lag, and log retained by the replication slot. */
import type { FollowProgressEvent } from '../../../../model/follow/events.ts'
import { progressBar, sparkline } from '../../../draw/bars.ts'
import { bytes, clockSpan, shownCount, numberOf, percent, amount, timeOfDay } from '../../../../render/screen-format.ts'
import { line, span, type Line } from '../../../draw/line.ts'
import { clean, cutEnd, padEnd, width } from '../../../../render/screen-text.ts'
import type { FollowProgress } from '../../../run/copy/follow-progress.ts'
import type { RunView } from '../../../run/run-view.ts'
import type { State } from '../../../state/state.ts'

const SPARK = 24
/** Below this width there are no curves. */
const NARROW = 60

type FollowedRun = Pick<RunView, 'plan' | 'finished' | 'startedAt' | 'pausedAt' | 'trouble'>

/** Three rows that replace bar, totals and pace, and a fourth once no table is copied. */
export function followLines(
  { now, ascii }: Pick<State, 'now' | 'ascii'>,
  run: FollowedRun,
  { last, lag, rates, held, proved, halted, isWhole }: FollowProgress,
  cells: number,
): Line[] {
  const hasEnded = run.finished !== null
  if (last === null) return hasEnded ? [] : beginning(run, now, cells)
  const { copying, catchup, live } = last.tables
  const all = Number(copying) + Number(catchup) + Number(live)
  const states = [
    `live ${live} of ${amount(all, 'table')}`,
    ...(catchup === '0' ? [] : [`catching up ${catchup}`]),
    ...(copying === '0' ? [] : [`copying ${copying}`]),
  ]
  const waits = last.waiting === undefined ? bytes(numberOf(last.lagBytes)) : amount(Number(last.waiting), 'note')
  const behind = lagText(last)
  const left = last.remainingMs === undefined || last.lagMs === 0 ? [] : [`${clockSpan(last.remainingMs)} to catch up`]
  const room = last.safeBytes === undefined ? '' : `, ${bytes(numberOf(last.safeBytes))} more may be held`
  const share = last.safeBytes === undefined ? null : shareOf(Number(last.heldBytes), Number(last.safeBytes))
  const holds = last.waiting === undefined ? 'the slot holds' : 'notes take'
  const slot = `${holds} ${bytes(numberOf(last.heldBytes))}${room}`
  const compared =
    proved === null
      ? 'rows were not compared'
      : proved.differing === 0
        ? `every row equal as of ${proved.position}`
        : `${amount(proved.differing, 'row')} differed as of ${proved.position}`
  const what = hasEnded ? 'it has ended' : doingText(run, now)
  if (cells < NARROW) {
    const rows = [
      halted === null ? `${what} · ${states.join(' · ')}` : `halted: ${halted}`,
      [behind, ...left].join(' · '),
      `${shownCount(numberOf(last.rate))} changes/s · applied ${last.position}`,
      ...(isWhole ? [slot] : []),
    ]
    const tone = halted === null ? 'strong' : 'bad'
    return rows.map((text, at) => line(` ${cutEnd(text, cells - 2)}`, at === 0 ? tone : 'plain'))
  }
  const head = [states.join(' · '), behind, ...left].join('    ')
  const pace = `${shownCount(numberOf(last.rate))} changes/s    ${shownCount(numberOf(last.changes))} in all    applied ${last.position}`
  const curve = (values: readonly number[]): string => padEnd(sparkline(values, SPARK, ascii), SPARK)
  const rest = cells - SPARK - 4
  const both = `${slot}    ${compared}`
  // Even with a lag of 0, the log may contain changes that were not read yet. So the text says that none are known.
  const foot = isWhole
    ? `${last.lagMs === 0 ? 'no waiting changes are known' : `behind ${waits}`}    ${compared}`
    : width(both) <= rest
      ? both
      : slot
  const full = share === null ? '' : `  ${progressBar(share, 12, ascii)} ${percent(share)}`
  return [
    halted === null
      ? line(` ${cutEnd(`${what}    ${head}`, cells - 2)}`, 'strong')
      : line(` ${cutEnd(`halted: ${halted}`, cells - 2)}`, 'bad'),
    [span(' '), span(curve(rates), 'info'), span(`  ${cutEnd(pace, rest)}`)],
    [span(' '), span(curve(lag), 'warn'), span(`  ${cutEnd(foot, rest)}`)],
    ...(isWhole
      ? [[span(' '), span(curve(held), 'muted'), span(`  ${cutEnd(slot, rest - width(full))}${full}`)] as Line]
      : []),
  ]
}

/** Lag of a stream. */
export function lagText({ lagMs, lagIs, lagBytes, waiting }: FollowProgressEvent): string {
  const waits = waiting === undefined ? bytes(numberOf(lagBytes)) : amount(Number(waiting), 'note')
  return lagMs === 0 ? 'no lag' : `lag ${lagIs === undefined ? '' : `${lagIs} `}${clockSpan(lagMs)} · ${waits}`
}

/** Current activity, or since when the run is paused. */
function doingText({ pausedAt }: FollowedRun, now: number): string {
  return pausedAt === null ? 'following' : `paused at ${timeOfDay(pausedAt)}, ${clockSpan(now - pausedAt)} ago`
}

/** What the run does before the stream is open; there are no figures yet. */
function beginning(run: FollowedRun, now: number, cells: number): Line[] {
  if (run.trouble !== null) return [line(` ${cutEnd(clean(run.trouble), cells - 2)}`, 'warn'), [], []]
  const doing = run.plan === null ? 'reading source, target and ledger' : 'opening the stream'
  return [line(` ${cutEnd(`${doing} … ${clockSpan(now - run.startedAt)} so far`, cells - 2)}`, 'strong'), [], []]
}

function shareOf(held: number, safe: number): number {
  return held + safe <= 0 ? 0 : held / (held + safe)
}
