/** The Run screen: progress, rate, workers, results and log. */
import { progressBar, sparkline } from '../../draw/bars.ts'
import {
  bytes,
  clockSpan,
  shownCount,
  countDec,
  numberOf,
  percent,
  amount,
  rate,
  seconds,
  timeOfDay,
} from '../../../render/screen-format.ts'
import { withoutPointer } from '../../../shared/pointed.ts'
import { block, chosen, line, rule, span, spreadLine, type Line } from '../../draw/line.ts'
import { clean, cutEnd, cutMiddle, padEnd, wrapLabelled } from '../../../render/screen-text.ts'
import { marksOf } from '../../draw/theme.ts'
import type { FsckView } from '../../run/fsck-view.ts'
import type { WorkerView, RunView, TableResult } from '../../run/run-view.ts'
import {
  bytesNow,
  doneNow,
  eta,
  workerRate,
  meanRate,
  perSecond,
  rateOf,
  runProgress,
  shownTotal,
} from '../../run/run-view.ts'
import { geometry } from '../../state/geometry.ts'
import { runLayout } from './run-layout.ts'
import { resultPosition } from './result-shown.ts'
import { runResults } from '../../state/selectors.ts'
import type { State } from '../../state/state.ts'
import { logLines } from '../tables/activity.ts'
import { archiveScreen } from './archiving/view.ts'
import { copyScreen } from './copy/view.ts'
import { switchScreen } from './copy/switch.ts'
import { differenceLines } from './differences.ts'
import { minuteChart } from './minute-chart.ts'
import { runMark } from '../../views/states.ts'
import { shownTableName } from '../../views/table-name.ts'
import { withoutUrls } from './without-urls.ts'
import { isRunShownOn } from '../../run/run-screen.ts'
import { showsOutput, outputTone } from '../../run/output.ts'

function title(run: RunView): string {
  const { operation } = run
  if (operation.kind === 'batch-import' && operation.only !== undefined)
    return `import ${amount(operation.only.length, 'table')}: ${operation.only.join(', ')}`
  return withoutUrls(run.commandLine)
}

/** True if the run only replicated or switched over, and copied nothing. */
const isStreamOnly = (run: RunView): boolean =>
  showsOutput(run) && (run.operation.kind === 'follow' || run.operation.kind === 'cutover')

function totals(run: RunView): string {
  const { ok, current, failed, refused, stopped, skipped } = run.counts
  const ended = ok + current + failed + refused + stopped + skipped
  const parts: string[] = []
  // A stream or a cutover copies no tables here, so counts of tables and rows would show no progress.
  if (isStreamOnly(run)) return ''
  if (run.checks.length > 0) parts.push(amount(run.checks.length, 'check'), amount(run.mismatchCount, 'difference'))
  if (run.plan === null) return unplannedTotals(run, parts)
  const isCutShort = run.finished !== null && run.finished.status !== 'ok' && run.plan.unit === 'action'
  if (isCutShort) return stoppedText(run, run.plan)
  if (run.plan.tables > 0) parts.push(`tables ${shownCount(ended)}/${shownCount(run.plan.tables)}`)
  // Chunks are not shown for an import: its plan counts commits, but a worker takes a whole table. Tables and actions
  // show the progress.
  if (run.plan.chunks > 0 && run.plan.unit !== 'action')
    parts.push(`chunks ${shownCount(run.chunksDone)}/${shownCount(run.plan.chunks)}`)
  const done = run.baseline + doneNow(run)
  if (run.plan.total > 0)
    parts.push(
      `${run.plan.unit}s ${shownCount(done)}/${shownCount(shownTotal(run, done))}${run.plan.estimated && run.finished === null ? ' est.' : ''}`,
    )
  if (run.comparing !== null && run.finished === null) {
    const { step, ranges, left, differences, looked: inspected } = run.comparing
    const at = inspected === undefined ? step : `${step}: ${countDec(inspected)} looked up`
    const open = step === 'comparing' ? `about ${countDec(left)} left` : at
    parts.push(`ranges ${countDec(ranges)}, ${open}`, amount(Number(differences), 'difference'))
  }
  const seen = run.fsck === null ? 0 : bytesNow(run)
  if (seen > 0) parts.push(bytes(seen))
  if (run.plan.bytes > 0 && run.finished === null) parts.push(`${bytes(run.plan.bytes)} to read`)
  return parts.join('   ')
}

/** Totals of a run that has no plan, or not yet. @param parts totals of comparisons */
function unplannedTotals(run: RunView, parts: readonly string[]): string {
  const isRunning = run.finished === null
  if (showsOutput(run)) return ''
  if (run.phase === 'starting') return 'planning …'
  if (run.fsck !== null) return isRunning ? 'listing the files of the table …' : ''
  if (isRunShownOn(run.operation, 'differences')) return isRunning ? 'comparing rows of both sides …' : ''
  const all = doneNow(run) > 0 ? [...parts, `${shownCount(doneNow(run))} done`] : parts
  return all.length === 0 && isRunning ? 'reading …' : all.join('   ')
}

/** Work done by an import that failed or was stopped; the total is only an estimate. */
function stoppedText(run: RunView, plan: NonNullable<RunView['plan']>): string {
  const { ok, current, failed, refused } = run.counts
  const some = (many: number, word: string): string[] => (many === 0 ? [] : [`${shownCount(many)} ${word}`])
  const done = run.baseline + doneNow(run)
  const tables = [`${shownCount(ok + current)} of ${amount(plan.tables, 'table')}`]
  const actions =
    plan.total > done
      ? `${shownCount(done)} of ${plan.estimated ? 'about ' : ''}${shownCount(plan.total)}`
      : shownCount(done)
  return [[...tables, ...some(failed, 'failed'), ...some(refused, 'refused')].join(' · '), `actions ${actions}`].join(
    '   ',
  )
}

function headLines(state: State, run: RunView, cells: number, wide: boolean): Line[] {
  const done = runProgress(run)
  const resumed =
    run.resumes !== null && run.plan !== null && run.plan.total > 0
      ? `resumed at ${percent(run.baseline / run.plan.total)} · `
      : ''
  const right = `${resumed}started ${timeOfDay(run.startedAt)} `
  const left = eta(run, state.now)
  const end = run.finished === null ? clockSpan(left) : run.finished.status
  const barCells = Math.max(8, cells - 20)
  const elapsed = clockSpan((run.endedAt ?? state.now) - run.startedAt)
  // Without a plan there is no rate. A stream or a cutover has none either: its plan counts rows of earlier copies.
  const meant = run.plan === null || isStreamOnly(run) ? null : meanRate(run, state.now)
  const mean = meant === null ? '' : `  ${rate(meant)} mean `
  const speeds =
    run.plan === null || run.finished !== null ? mean : `  ${rate(rateOf(run, state.now, 5000))} now${mean}`
  const wanted = run.wantedWorkers === null ? '' : `   workers wanted ${run.wantedWorkers}`
  const lines: Line[] = [
    spreadLine(
      [span(` ${cutMiddle(clean(title(run)), Math.max(10, cells - right.length - 3))}`)],
      line(right, 'muted'),
      cells,
    ),
    [
      span(' '),
      span(
        progressBar(done, barCells, state.ascii),
        run.finished !== null && run.finished.status !== 'ok' ? 'warn' : 'info',
      ),
      span(` ${percent(done).padStart(6)}  ${end}`, 'strong'),
    ],
    line(` ${totals(run)}`),
    [
      span(' '),
      span(padEnd(sparkline(perSecond(run), 30, state.ascii), 30), 'info'),
      span(`${speeds}  ${elapsed} ${run.finished === null ? 'so far' : 'in all'}${wanted}`),
    ],
  ]
  return wide ? [...lines.slice(0, 1), [], ...lines.slice(1)] : lines
}

function workerLine(worker: WorkerView, run: RunView, state: State, cells: number, wide: boolean): Line {
  const table = wide ? 24 : 18
  const step = wide ? 16 : 11
  const barCells = Math.max(6, cells - 8 - table - step - 26)
  const front: Line = [
    span(
      ` ${padEnd(String(worker.worker), 6)} ${padEnd(cutMiddle(shownTableName(worker.table, state.lake), table - 1), table)}`,
    ),
  ]
  if (worker.waits !== null)
    return [
      ...front,
      span(padEnd('waits', step), 'warn'),
      span(cutEnd(clean(worker.waits), cells - 8 - table - step), 'warn'),
    ]
  const part = worker.total > 0 ? Math.min(1, worker.done / worker.total) : null
  const speed = workerRate(run, worker, state.now)
  const left = speed === null || speed <= 0 || worker.total <= 0 ? null : ((worker.total - worker.done) / speed) * 1000
  return [
    ...front,
    span(padEnd(cutEnd(clean(worker.chunk), step - 1), step)),
    span(progressBar(part, barCells, state.ascii), 'info'),
    span(`${percent(part).padStart(6)}${rate(speed).padStart(11)}${clockSpan(left).padStart(7)}`),
  ]
}

function workers(run: RunView, state: State, cells: number, rows: number, wide: boolean): Line[] {
  const table = wide ? 24 : 18
  const step = wide ? 16 : 11
  const barCells = Math.max(6, cells - 8 - table - step - 26)
  const head = ` ${'WORKER'.padEnd(7)}${'TABLE'.padEnd(table)}${'STEP'.padEnd(step)}${' '.repeat(barCells)}${'DONE'.padStart(6)}${'RATE'.padStart(11)}${'ETA'.padStart(7)}`
  const drawn = run.workers.slice(0, rows).map((worker) => workerLine(worker, run, state, cells, wide))
  if (drawn.length === 0) drawn.push(line('   no worker yet', 'muted'))
  return [line(head, 'strong'), ...drawn]
}

function resultLine(result: TableResult, state: State, here: boolean, cells: number): Line {
  const marks = marksOf(state.ascii)
  const name = cells >= 100 ? 28 : 18
  const front: Line = [
    span(here ? marks.row : ' '),
    runMark(result.status, marks),
    span(` ${padEnd(cutMiddle(shownTableName(result.table, state.lake), name - 1), name)}`),
  ]
  if (result.error !== undefined) {
    const left: Line = [
      ...front,
      span(clean(`${result.error.code} ${result.error.message}`), result.status === 'refused' ? 'warn' : 'bad'),
    ]
    return spreadLine(left, line(here ? ' enter: why ' : ' ', 'muted'), cells)
  }
  const parts = [
    padEnd(result.version === undefined ? '' : `v${result.version}`, 7),
    (result.files === undefined ? '' : amount(numberOf(result.files), 'file')).padStart(14),
    (result.bytes === undefined ? '' : bytes(numberOf(result.bytes))).padStart(10),
    `   ${padEnd(result.historyFrom === undefined ? result.status : `from v${result.historyFrom}`, 12)}`,
    seconds(result.ms).padStart(8),
    result.notes === undefined || result.notes.length === 0 ? '' : `    ${clean(result.notes.join('; '))}`,
  ]
  return [...front, span(parts.join(''))]
}

/** Number of queued runs, as text; empty if there are none. */
const queuedText = ({ runs }: State): string => (runs.queue.length === 0 ? '' : ` · ${runs.queue.length} queued`)

function resultsTitle(run: RunView, state: State): string {
  const c = run.counts
  const parts = [`done ${c.ok + c.current}`, `failed ${c.failed}`, `refused ${c.refused}`]
  if (c.stopped > 0) parts.push(`stopped ${c.stopped}`)
  if (run.plan !== null && run.finished === null)
    parts.push(
      `waiting ${Math.max(0, run.plan.tables - c.ok - c.current - c.failed - c.refused - c.stopped - c.skipped - run.workers.length)}`,
    )
  if (run.retries > 0) parts.push(amount(run.retries, 'retry', 'retries'))
  return parts.join(' · ') + queuedText(state) + (state.runs.errorsOnly ? ' · errors only' : '')
}

/** Lines for the checks of a validation, then the differences with both values; empty if the run has none. */
function checkLines(run: RunView, state: State, cells: number): Line[] {
  const marks = marksOf(state.ascii)
  const checks = state.runs.errorsOnly ? run.checks.filter((c) => !c.equal) : run.checks
  const lines = checks.map((c): Line => [
    span(' '),
    c.equal ? span(marks.ok, 'ok') : span(marks.bad, 'bad'),
    span(` v${padEnd(c.version, 9)}${padEnd(cutMiddle(clean(c.check), 25), 26)}`),
    c.equal
      ? span(clean(`${c.log} = ${c.catalog}`))
      : span(clean(`log ${c.log} ${marks.differs} catalog ${c.catalog}`), 'bad'),
    span(`  ${clean(c.witness)}`, 'muted'),
  ])
  for (const m of run.mismatches) {
    lines.push([
      span(` ${marks.differs} v${padEnd(m.version, 9)}`, 'bad'),
      span(cutMiddle(clean(`${m.check} ${m.path ?? ''} ${m.field}`), Math.max(20, cells - 14))),
    ])
    lines.push(line(`     log      ${clean(m.log)}`), line(`     catalog  ${clean(m.catalog)}`, 'bad'))
  }
  if (run.mismatchCount > run.mismatches.length)
    lines.push(line(`   … ${run.mismatchCount - run.mismatches.length} earlier differences`, 'muted'))
  return lines
}

/** Checked levels and findings of `fsck`: a title, the levels, and the newest findings that fit. */
function fsckLines(fsck: FsckView, state: State, cells: number, rows: number): Line[] {
  const marks = marksOf(state.ascii)
  const levels = fsck.checked
    .filter(({ findings }) => !state.runs.errorsOnly || findings !== '0')
    .map(({ check, looked: inspected, of, findings, detail }): Line => {
      const all = inspected === of ? countDec(of) : `${countDec(inspected)} of ${countDec(of)}`
      return [
        span(' '),
        findings === '0' ? span(marks.ok, 'ok') : span(marks.bad, 'bad'),
        span(` ${padEnd(check, 13)}${padEnd(all, 18)}`),
        span(cutEnd(clean(detail), Math.max(10, cells - 35)), 'muted'),
      ]
    })
  const room = Math.max(1, rows - levels.length)
  const found = fsck.findings.slice(-room).map((one): Line => {
    const size = one.bytes === undefined ? '' : `  ${bytes(numberOf(one.bytes))}`
    return [
      span(` ${marks.differs} ${padEnd(one.finding, 18)}`, 'bad'),
      span(cutMiddle(clean(`${one.path ?? ''} ${one.detail}${size}`.trim()), Math.max(20, cells - 22))),
    ]
  })
  if (found.length === 0) found.push(line('   nothing is wrong so far', 'muted'))
  return block([rule(`files · ${amount(fsck.findingCount, 'finding')}`, cells), ...levels, ...found], cells, rows + 1)
}

function results(run: RunView, state: State, cells: number, rows: number): Line[] {
  if (isRunShownOn(run.operation, 'differences')) {
    const tables = run.results.slice(-Math.max(1, Math.floor(rows / 3)))
    const reported = tables.map((result) => resultLine(result, state, false, cells))
    return block(
      [...differenceLines(run, state, cells, Math.max(1, rows - reported.length)), ...reported],
      cells,
      rows + 1,
    )
  }
  if (run.fsck !== null) return fsckLines(run.fsck, state, cells, rows)
  if (showsOutput(run)) return storyLines(run, cells, rows)
  const checks = checkLines(run, state, cells)
  if (checks.length > 0)
    return block(
      [
        rule(
          `checks · ${amount(run.checks.length, 'check')} · ${amount(run.mismatchCount, 'difference')}${queuedText(state)}`,
          cells,
        ),
        ...checks.slice(-rows),
      ],
      cells,
      rows + 1,
    )
  const list = runResults(state, run)
  const { index, top } = resultPosition(state, run, rows)
  const drawn = list.slice(top, top + rows).map((result, i) => {
    const here = top + i === index
    const made = resultLine(result, state, here, cells)
    return here && list.length > 1 ? chosen(made, cells) : made
  })
  return block([rule(resultsTitle(run, state), cells), ...drawn], cells, rows + 1)
}

function ending(run: RunView): Line[] {
  const f = run.finished
  if (f === null) return []
  const tone = f.status === 'ok' ? 'ok' : f.status === 'stopped' ? 'warn' : 'bad'
  const why = f.error === undefined ? '' : ` · ${f.error.code} ${withoutPointer(f.error.message)}`
  const lines: Line[] = [[span(` ${f.status}, exit ${f.exitCode}`, tone), span(clean(why))]]
  if (f.notChecked !== undefined) lines.push([span(' note ', 'muted'), span(clean(f.notChecked))])
  if (f.error?.hint !== undefined) lines.push([span(' do   ', 'muted'), span(clean(f.error.hint))])
  if (f.resumeCommand !== undefined) lines.push([span(' next ', 'muted'), span(clean(f.resumeCommand))])
  for (const file of f.wrote ?? []) lines.push([span(' wrote ', 'muted'), span(clean(file))])
  return lines
}

/** The newest lines of the output. */
function storyLines(run: RunView, cells: number, rows: number): Line[] {
  const reported = run.output.flatMap((text): Line[] =>
    wrapLabelled(clean(text), cells - 2).map((part) => line(` ${part}`, outputTone(text))),
  )
  const more = reported.length > rows ? ` · the last ${rows} of ${reported.length} lines, enter shows all` : ''
  return block([rule(`output${more}`, cells), ...reported.slice(-rows)], cells, rows + 1)
}

/** The screen of one run. */
export function runScreen(state: State, run: RunView, cells: number): Line[] {
  if (run.copy !== null && run.operation.kind === 'cutover' && run.finished === null)
    return switchScreen(state, run, run.copy, cells)
  if (run.copy !== null && !showsOutput(run)) return copyScreen(state, run, run.copy, cells)
  if (run.archiving !== null) return archiveScreen(state, run, run.archiving, cells)
  const { body } = geometry(state)
  const layout = runLayout(state, run)
  const end = ending(run)
  const lines: Line[] = [
    ...headLines(state, run, cells, layout.wide),
    ...(layout.chart > 0 ? [[], ...minuteChart(run, cells, layout.chart, state.ascii)] : []),
    [],
    ...(layout.workers > 0 ? [...workers(run, state, cells, layout.workers, layout.wide), []] : []),
    ...results(run, state, cells, Math.max(1, layout.results - end.length)),
    ...end,
  ]
  if (layout.log > 0) {
    const newest = state.log.entries.slice(-layout.log).flatMap((entry) => logLines(entry, cells).slice(0, 1))
    lines.push([], rule('log', cells), ...newest)
  }
  return block(lines, cells, body)
}
