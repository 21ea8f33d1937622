/** The head of a copy's screen: what it is, how far, how fast, and that what was read is accounted for. */
import { progressBar, sparkline } from '../../draw/bars.ts'
import { bytes, clockSpan, count, percent, rate, timeOfDay } from '../../draw/format.ts'
import { declarationOf } from '../../../engine/operations/facts.ts'
import type { Line } from '../../draw/line.ts'
import { line, span, spread } from '../../draw/line.ts'
import { clean, cutEnd, cutMiddle, padEnd, width } from '../../draw/text.ts'
import type { CopyProgress } from '../../run/copy/copy-progress.ts'
import { limitOf } from '../../run/rate-limit.ts'
import type { RunView } from '../../run/run-view.ts'
import { byteRate, bytesNow, eta, meanRate, perSecond, rateOf, share, workOf } from '../../run/run-view.ts'
import type { State } from '../../state/state.ts'
import { withoutUrls } from '../without-urls.ts'
import { followLines } from './follow.ts'

const SPARK = 30
const NARROW_SPARK = 24
const SHORT_SPARK = 14

/** Four rows, or five where there is room for an empty one. */
export function copyHead(state: State, run: RunView, copy: CopyProgress, cells: number, wide: boolean): Line[] {
  const isFollowing = run.finished === null ? copy.follow.last !== null : copy.follow.isWhole
  const lines = isFollowing
    ? [titleLine(run, cells, wide), ...followLines(copy.follow, run.finished !== null, cells, state.ascii)]
    : copiedLines(state, run, copy, cells, wide)
  return wide ? [...lines.slice(0, 1), [], ...lines.slice(1)] : lines
}

function copiedLines(state: State, run: RunView, copy: CopyProgress, cells: number, wide: boolean): Line[] {
  return [
    titleLine(run, cells, wide),
    barLine(state, run, cells),
    readLine(run, copy, cells),
    paceLine(state, run, copy, cells, wide),
  ]
}

function titleLine(run: RunView, cells: number, wide: boolean): Line {
  const all = workOf(run)
  const resumed =
    run.baseline > 0 && all !== null && all > 0 ? `resumed at ${percent(Math.min(1, run.baseline / all))}` : ''
  const started = `started ${timeOfDay(run.startedAt)}`
  const right = `${[resumed, ...(wide || resumed === '' ? [started] : [])].filter((part) => part !== '').join(' · ')} `
  const title = withoutUrls(run.commandLine)
  return spread(
    [span(` ${cutMiddle(clean(title), Math.max(10, cells - right.length - 3))}`)],
    line(right, 'muted'),
    cells,
  )
}

function barLine(state: State, run: RunView, cells: number): Line {
  const done = share(run)
  const { finished } = run
  const end = finished === null ? clockSpan(eta(run, state.now)) : finished.status
  const tone = finished !== null && finished.status !== 'ok' ? 'warn' : 'info'
  return [
    span(' '),
    span(progressBar(done, Math.max(8, cells - 20), state.ascii), tone),
    span(` ${percent(done).padStart(6)}  ${end}`, 'strong'),
  ]
}

/** What goes on before a plan is told. What only follows or switches copies nothing, and tells none. */
function beginningOf({ operation: { kind } }: RunView): string {
  const { doing = kind } = declarationOf(kind)
  return kind === 'copy' || kind === 'partition-run' ? 'planning: asking both sides what there is' : doing
}

/** Closed chunks only, because only of them it is known what became of their rows. */
function readLine(run: RunView, copy: CopyProgress, cells: number): Line {
  if (run.plan === null) return line(run.finished === null ? ` ${beginningOf(run)} …` : '', 'muted')
  const { read, written, skipped, aside, proved } = copy.tally()
  const { rows, estimated } = copy.rows()
  const whole = estimated && run.finished?.status === 'ok' ? read : Math.max(rows, read)
  const all = ` of ${count(whole)}${estimated && run.finished === null ? ' est.' : ''}`
  const sum = ` = written ${count(written)} + skipped ${count(skipped)} + set aside ${count(aside)}`
  const flying = run.lanes.reduce((flown, lane) => flown + lane.done, 0)
  const more = [`proved ${count(proved)}`, ...(flying > 0 ? [`in flight ${count(flying)}`] : [])]
  const texts = [
    ` read ${count(read)}${all}${sum}    ${more.join('    ')}`,
    ` read ${count(read)}${all}${sum}    ${more[0] ?? ''}`,
    ` read ${count(read)}${all}${sum}`,
    ` read ${count(read)}${sum}`,
  ]
  const text = texts.find((one) => width(one) <= cells) ?? texts.at(-1) ?? ''
  const tail = aside > 0 ? text.indexOf('set aside') : -1
  if (tail < 0) return line(text)
  const end = tail + `set aside ${count(aside)}`.length
  return [span(text.slice(0, tail)), span(text.slice(tail, end), 'warn'), span(text.slice(end))]
}

function paceLine(state: State, run: RunView, copy: CopyProgress, cells: number, wide: boolean): Line {
  const elapsed = `${clockSpan((run.endedAt ?? state.now) - run.startedAt)} ${run.finished === null ? 'so far' : 'in all'}`
  const mean = meanRate(run, state.now)
  if (run.finished !== null) {
    const moved = bytesNow(run)
    const facts = [`${rate(mean)} mean`, ...(moved > 0 ? [`${bytes(moved)}${meanBytes(run, state.now)}`] : []), elapsed]
    return [
      span(' '),
      span(padEnd(sparkline(perSecond(run), SPARK, state.ascii), SPARK), 'info'),
      span(`  ${facts.join('   ')}`),
    ]
  }
  const now = rateOf(run, state.now, 5000)
  const set = settings(run)
  const { throttle } = copy
  const rowBytes = copy.rowBytes()
  const slow =
    throttle === null
      ? []
      : [
          wide
            ? `throttled to ${rate(throttle.rate)}: ${clean(throttle.reason)}`
            : `throttled to ${rate(throttle.rate)}`,
        ]
  const aside = [...set, ...slow]
  const unit = wide ? ' rows' : ''
  const speed = now === null ? '? now' : `${count(Math.round(now))}${unit}/s now`
  const means = mean === null ? '? mean' : `${count(Math.round(mean))}${wide ? '' : '/s'} mean`
  const spark = cells >= 160 || (wide && aside.length === 0) ? SPARK : aside.length === 0 ? NARROW_SPARK : SHORT_SPARK
  const moved = byteRate(run, state.now, 5000)
  const guessed = now === null || rowBytes === null ? null : now * rowBytes
  const volume = moved !== null ? [`${bytes(moved)}/s`] : guessed === null ? [] : [`~${bytes(guessed)}/s`]
  const gap = wide ? '   ' : '  '
  const room = cells - spark - 4
  const whole = wide
    ? [speed, means, elapsed, ...volume, ...set, ...latencyText(copy)]
    : [speed, ...(aside.length === 0 ? [means] : aside), elapsed, ...volume]
  // What is turned by keys and what slows it down is worth more than what the target's answers take.
  const facts = width(whole.join(gap)) <= room - (wide && slow.length > 0 ? 24 : 0) ? whole : whole.slice(0, -1)
  const text = facts.join(gap)
  const left = cells - spark - 4 - width(text) - gap.length
  return [
    span(' '),
    span(padEnd(sparkline(perSecond(run), spark, state.ascii), spark), 'info'),
    span(`  ${text}`, !wide && slow.length > 0 ? 'warn' : 'plain'),
    ...(wide && slow.length > 0 && left > 20 ? [span(gap + cutEnd(slow.join(''), left), 'warn')] : []),
  ]
}

/** Bytes a second of the whole run. */
function meanBytes(run: RunView, now: number): string {
  const ms = (run.endedAt ?? now) - (run.copy?.begunAt ?? run.startedAt)
  return ms < 1000 ? '' : `, ${bytes((bytesNow(run) * 1000) / ms)}/s`
}

/** How long the target takes for a megabyte of rows, but for the slowest. */
function latencyText({ latency }: CopyProgress): readonly string[] {
  if (latency === null) return []
  const usual = latency.baselineMs === null ? '' : `, usually ${Math.round(latency.baselineMs)}`
  return [`target ${Math.round(latency.p95Ms)} ms/MB${usual}`]
}

/** What keys have set. */
function settings(run: RunView): string[] {
  const limit = limitOf(run)
  const rates = Number.isFinite(limit) ? [`limit ${rate(limit)}`] : run.wantedRate === null ? [] : ['no limit']
  return run.wantedLanes === null ? rates : [`lanes wanted ${run.wantedLanes}`, ...rates]
}
