/** The head of an archive's screen: command, progress, rate and compression. */
import { progressBar, sparkline } from '../../../draw/bars.ts'
import { bytes, clockSpan, shownCount, percent, rate, timeOfDay } from '../../../../render/screen-format.ts'
import { line, span, spreadLine, type Line } from '../../../draw/line.ts'
import { clean, cutMiddle, padEnd, width } from '../../../../render/screen-text.ts'
import type { ArchiveProgress } from '../../../run/archiving/archive-progress.ts'
import { shownSizes } from '../../../run/archiving/outcome.ts'
import { byteRate, eta, meanRate, perSecond, rateOf, runProgress, type RunView } from '../../../run/run-view.ts'
import type { State } from '../../../state/state.ts'
import { withoutUrls } from '../without-urls.ts'

const SPARK = 30
const NARROW_SPARK = 20

/** The head in four rows. `wide`: with an empty row below the title. */
export function archiveHead(
  state: State,
  run: RunView,
  archiving: ArchiveProgress,
  cells: number,
  wide: boolean,
): Line[] {
  const right = `started ${timeOfDay(run.startedAt)} `
  const title = cutMiddle(clean(withoutUrls(run.commandLine)), Math.max(10, cells - right.length - 3))
  const lines = [
    spreadLine([span(` ${title}`)], line(right, 'muted'), cells),
    barLine(state, run, cells),
    line(` ${fitting(totals(run, archiving), cells - 1)}`),
    paceLine(state, run, cells),
  ]
  return wide ? [...lines.slice(0, 1), [], ...lines.slice(1)] : lines
}

function barLine(state: State, run: RunView, cells: number): Line {
  const done = runProgress(run)
  const { finished } = run
  const end = finished === null ? clockSpan(eta(run, state.now)) : finished.status
  return [
    span(' '),
    span(
      progressBar(done, Math.max(8, cells - 20), state.ascii),
      finished !== null && finished.status !== 'ok' ? 'warn' : 'info',
    ),
    span(` ${percent(done).padStart(6)}  ${end}`, 'strong'),
  ]
}

/** The most important parts first; later ones are dropped when space is short. */
function totals(run: RunView, archiving: ArchiveProgress): readonly string[] {
  if (archiving.partitions.length === 0) {
    const { done, later } = archiving.left
    if (run.finished !== null || done + later > 0) return ['nothing is due']
    return [run.phase === 'starting' ? 'planning …' : 'looking which partitions are due …']
  }
  const { waits, running, done, failed } = archiving.counts()
  const rows = archiving.rows()
  const { source, stored } = archiving.sizes()
  const smaller = shownSizes(source, stored)
  return [
    `partitions ${shownCount(done)}/${shownCount(waits + running + done + failed)}`,
    `rows ${shownCount(rows.done)}/${shownCount(rows.all)}`,
    ...(smaller === '' ? [] : [smaller]),
    ...(failed > 0 ? [`failed ${shownCount(failed)}`] : []),
  ]
}

/** As many parts as fit. */
function fitting(parts: readonly string[], cells: number): string {
  let text = ''
  for (const part of parts) {
    const longer = text === '' ? part : `${text}   ${part}`
    if (width(longer) > cells) break
    text = longer
  }
  return text
}

/**
 * Line with rates and times. The rates count every visit of a row, such as when it is written and when it is read back.
 */
function paceLine(state: State, run: RunView, cells: number): Line {
  const elapsed = `${clockSpan((run.endedAt ?? state.now) - run.startedAt)} ${run.finished === null ? 'so far' : 'in all'}`
  const meant = meanRate(run, state.now)
  const mean = meant === null || meant === 0 ? [] : [`${rate(meant)} mean`]
  const moved = byteRate(run, state.now, 5000)
  const facts =
    run.finished === null
      ? [
          `${rate(rateOf(run, state.now, 5000))} now`,
          elapsed,
          ...(moved === null ? [] : [`${bytes(moved)}/s`]),
          ...mean,
        ]
      : [...mean, elapsed]
  const spark = cells >= 100 ? SPARK : NARROW_SPARK
  return [
    span(' '),
    span(padEnd(sparkline(perSecond(run), spark, state.ascii), spark), 'info'),
    span(`  ${fitting(facts, cells - spark - 4)}`),
  ]
}
