/** The head of a copy's screen: command, progress, rate, and rows read: written, skipped, quarantined. */
import { progressBar, sparkline } from '../../../draw/bars.ts'
import { bytes, clockSpan, shownCount, percent, rate, timeOfDay } from '../../../../render/screen-format.ts'
import { line, span, spreadLine, type Line } from '../../../draw/line.ts'
import { clean, cutEnd, cutMiddle, padEnd, width } from '../../../../render/screen-text.ts'
import type { CopyProgress } from '../../../run/copy/copy-progress.ts'
import { limitOf } from '../../../run/rate-limit.ts'
import type { RunView } from '../../../run/run-view.ts'
import {
  byteRate,
  bytesNow,
  eta,
  meanRate,
  perSecond,
  rateOf,
  runProgress,
  runTotalWork,
} from '../../../run/run-view.ts'
import { isFollowing } from './copy-layout.ts'
import type { State } from '../../../state/state.ts'
import { withoutUrls } from '../without-urls.ts'
import { followLines } from './follow.ts'

const SPARK = 30
const NARROW_SPARK = 24
const SHORT_SPARK = 14

/** Lines of the head: the title, and up to four rows. `wide`: with an empty row below the title. */
export function copyHead(state: State, run: RunView, copy: CopyProgress, cells: number, wide: boolean): Line[] {
  const lines = isStream(run, copy)
    ? [titleLine(run, cells, wide), ...followLines(state, run, copy.follow, cells)]
    : copiedLines(state, run, copy, cells, wide)
  return wide ? [...lines.slice(0, 1), [], ...lines.slice(1)] : lines
}

/**
 * True if the head shows the stream instead of the copy. A run that only replicates has nothing to copy: its bar would
 * stay at 0.
 */
function isStream(run: RunView, copy: CopyProgress): boolean {
  return run.finished === null ? copy.follow.last !== null || isFollowing(run) : copy.follow.isWhole
}

function copiedLines(state: State, run: RunView, copy: CopyProgress, cells: number, wide: boolean): Line[] {
  return [
    titleLine(run, cells, wide),
    barLine(state, run, cells),
    readLine(run, copy, cells),
    paceLine(state, run, copy, cells, wide),
  ]
}

/** Command and start time. */
export function titleLine(run: RunView, cells: number, wide: boolean): Line {
  const all = runTotalWork(run)
  const resumed =
    run.baseline > 0 && all !== null && all > 0 ? `resumed at ${percent(Math.min(1, run.baseline / all))}` : ''
  const started = `started ${timeOfDay(run.startedAt)}`
  const right = `${[resumed, ...(wide || resumed === '' ? [started] : [])].filter((part) => part !== '').join(' · ')} `
  const title = withoutUrls(run.commandLine)
  return spreadLine(
    [span(` ${cutMiddle(clean(title), Math.max(10, cells - right.length - 3))}`)],
    line(right, 'muted'),
    cells,
  )
}

function barLine(state: State, run: RunView, cells: number): Line {
  const done = runProgress(run)
  const { finished } = run
  const end = finished === null ? clockSpan(eta(run, state.now)) : finished.status
  const tone = finished !== null && finished.status !== 'ok' ? 'warn' : 'info'
  return [
    span(' '),
    span(progressBar(done, Math.max(8, cells - 20), state.ascii), tone),
    span(` ${percent(done).padStart(6)}  ${end}`, 'strong'),
  ]
}

/** Line with rows by result. Only completed chunks are counted, because the result of other rows is not known yet. */
function readLine(run: RunView, copy: CopyProgress, cells: number): Line {
  if (run.plan === null) {
    if (run.finished !== null) return []
    // While the run waits, no other part of the screen changes, so the reason is shown here.
    if (run.trouble !== null) return line(` ${cutEnd(clean(run.trouble), cells - 2)}`, 'warn')
    return line(' planning: reading source and target …', 'muted')
  }
  const { read, written, skipped, quarantined, proved } = copy.tally()
  const { rows, estimated } = copy.rows()
  const whole = estimated && run.finished?.status === 'ok' ? read : Math.max(rows, read)
  const all = ` of ${shownCount(whole)}${estimated && run.finished === null ? ' est.' : ''}`
  const sum = ` = written ${shownCount(written)} + skipped ${shownCount(skipped)} + quarantined ${shownCount(quarantined)}`
  const flying = run.workers.reduce((flown, worker) => flown + worker.done, 0)
  const more = [`proved ${shownCount(proved)}`, ...(flying > 0 ? [`in flight ${shownCount(flying)}`] : [])]
  const texts = [
    ` read ${shownCount(read)}${all}${sum}    ${more.join('    ')}`,
    ` read ${shownCount(read)}${all}${sum}    ${more[0] ?? ''}`,
    ` read ${shownCount(read)}${all}${sum}`,
    ` read ${shownCount(read)}${sum}`,
  ]
  const text = texts.find((one) => width(one) <= cells) ?? texts.at(-1) ?? ''
  const tail = quarantined > 0 ? text.indexOf('quarantined') : -1
  if (tail < 0) return line(text)
  const end = tail + `quarantined ${shownCount(quarantined)}`.length
  return [span(text.slice(0, tail)), span(text.slice(tail, end), 'warn'), span(text.slice(end))]
}

function paceLine(state: State, run: RunView, copy: CopyProgress, cells: number, wide: boolean): Line {
  const elapsed = `${clockSpan((run.endedAt ?? state.now) - run.startedAt)} ${run.finished === null ? 'so far' : 'in all'}`
  if (run.finished !== null) {
    const moved = bytesNow(run)
    const pace = copy.pace.mean()
    const volume = pace === null || pace.bytes === 0 ? '' : `, ${bytes(pace.bytes)}/s`
    const facts = [
      ...(pace === null ? [] : [`${rate(pace.rows)} mean`]),
      ...(moved > 0 ? [`${bytes(moved)}${volume}`] : []),
      elapsed,
    ]
    return [
      span(' '),
      span(padEnd(sparkline(perSecond(run), SPARK, state.ascii), SPARK), 'info'),
      span(`  ${facts.join('   ')}`),
    ]
  }
  const mean = meanRate(run, state.now)
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
  const sideNotes = [...set, ...slow]
  const unit = wide ? ' rows' : ''
  const speed = now === null ? '? now' : `${shownCount(Math.round(now))}${unit}/s now`
  const means = mean === null ? '? mean' : `${shownCount(Math.round(mean))}${wide ? '' : '/s'} mean`
  const spark =
    cells >= 160 || (wide && sideNotes.length === 0) ? SPARK : sideNotes.length === 0 ? NARROW_SPARK : SHORT_SPARK
  const moved = byteRate(run, state.now, 5000)
  const guessed = now === null || rowBytes === null ? null : now * rowBytes
  const volume = moved !== null ? [`${bytes(moved)}/s`] : guessed === null ? [] : [`~${bytes(guessed)}/s`]
  const gap = wide ? '   ' : '  '
  const room = cells - spark - 4
  const whole = wide
    ? [speed, means, elapsed, ...volume, ...set, ...latencyText(copy)]
    : [speed, ...(sideNotes.length === 0 ? [means] : sideNotes), elapsed, ...volume]
  // Settings and throttle have priority over the target's latency.
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

/** 95th percentile of the target's time per megabyte of rows, ms. */
function latencyText({ latency }: CopyProgress): readonly string[] {
  if (latency === null) return []
  const usual = latency.baselineMs === null ? '' : `, usually ${Math.round(latency.baselineMs)}`
  return [`target ${Math.round(latency.p95Ms)} ms/MB${usual}`]
}

/** Texts about the number of workers and the rate limit, each only if the user has set it. */
function settings(run: RunView): string[] {
  const limit = limitOf(run)
  const rates = Number.isFinite(limit) ? [`limit ${rate(limit)}`] : run.wantedRate === null ? [] : ['no limit']
  return run.wantedWorkers === null ? rates : [`workers wanted ${run.wantedWorkers}`, ...rates]
}
