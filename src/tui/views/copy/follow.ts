/** The head of a copy's screen while changes follow it: which tables are live, how far it is behind, what the slot holds back. */
import { progressBar, sparkline } from '../../draw/bars.ts'
import { bytes, clockSpan, count, numberOf, percent, plural } from '../../draw/format.ts'
import type { Line } from '../../draw/line.ts'
import { line, span } from '../../draw/line.ts'
import { cutEnd, padEnd, width } from '../../draw/text.ts'
import type { FollowProgress } from '../../run/copy/follow-progress.ts'

const SPARK = 24

/** Three rows in place of bar, sums and pace, and a fourth once no table is copied any more. */
export function followLines(
  { last, lag, rates, held, proved, halted, isWhole }: FollowProgress,
  hasEnded: boolean,
  cells: number,
  ascii: boolean,
): Line[] {
  if (last === null) return []
  const { copying, catchup, live } = last.tables
  const all = Number(copying) + Number(catchup) + Number(live)
  const states = [
    `live ${live} of ${plural(all, 'table')}`,
    ...(catchup === '0' ? [] : [`catching up ${catchup}`]),
    ...(copying === '0' ? [] : [`copying ${copying}`]),
  ]
  const waits = last.waiting === undefined ? bytes(numberOf(last.lagBytes)) : plural(Number(last.waiting), 'note')
  const behind = last.lagMs === 0 ? 'no lag' : `lag ${clockSpan(last.lagMs)} · ${waits}`
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
        : `${plural(proved.differing, 'row')} differed as of ${proved.position}`
  const head = [states.join(' · '), behind, ...left].join('    ')
  const pace = `${count(numberOf(last.rate))} changes/s    ${count(numberOf(last.changes))} in all    applied ${last.position}`
  const curve = (values: readonly number[]): string => padEnd(sparkline(values, SPARK, ascii), SPARK)
  const rest = cells - SPARK - 4
  const both = `${slot}    ${compared}`
  const foot = isWhole ? `behind ${waits}    ${compared}` : width(both) <= rest ? both : slot
  const full = share === null ? '' : `  ${progressBar(share, 12, ascii)} ${percent(share)}`
  return [
    halted === null
      ? line(` ${cutEnd(`${hasEnded ? 'it has ended' : 'following'}    ${head}`, cells - 2)}`, 'strong')
      : line(` ${cutEnd(`halted: ${halted}`, cells - 2)}`, 'bad'),
    [span(' '), span(curve(rates), 'info'), span(`  ${cutEnd(pace, rest)}`)],
    [span(' '), span(curve(lag), 'warn'), span(`  ${cutEnd(foot, rest)}`)],
    ...(isWhole
      ? [[span(' '), span(curve(held), 'muted'), span(`  ${cutEnd(slot, rest - width(full))}${full}`)] as Line]
      : []),
  ]
}

function shareOf(held: number, safe: number): number {
  return held + safe <= 0 ? 0 : held / (held + safe)
}
