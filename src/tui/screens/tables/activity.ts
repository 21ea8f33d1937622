/** The third pane: active run, past runs, log; the screens of runs draw the lines of their logs with it. */
import { clockSpan, msOf, percent, timeOfDay } from '../../../render/screen-format.ts'
import { block, line, rule, span, type Line } from '../../draw/line.ts'
import { cutMiddle, padEnd, wrap } from '../../../render/screen-text.ts'
import { progressBar, sparkline } from '../../draw/bars.ts'
import { marksOf } from '../../draw/theme.ts'
import { geometry } from '../../state/geometry.ts'
import { eta, runProgress } from '../../run/run-view.ts'
import { activeRun } from '../../state/selectors.ts'
import type { LogEntry } from '../../../render/log-entry.ts'
import type { State } from '../../state/state.ts'
import { lakeTables } from './stores.ts'
import { ALL_CATALOG_TABLES } from './sync-shown.ts'
import { runMark } from '../../views/states.ts'
import { lastRuns } from './last-runs.ts'

function nowLines(state: State, cells: number): Line[] {
  const run = activeRun(state)
  if (run === undefined) return [line('   nothing runs', 'muted')]
  const done = runProgress(run)
  const waiting = state.runs.queue.length
  return [
    line(` ${run.operation.kind} · ${run.phase}`),
    [
      span(' '),
      span(progressBar(done, Math.max(4, cells - 16), state.ascii), 'info'),
      span(` ${percent(done).padStart(5)} ${clockSpan(eta(run, state.now)).padStart(6)}`),
    ],
    ...(waiting > 0 ? [line(` ${waiting} more queued`, 'muted')] : []),
  ]
}

/** Running syncs, each with its recent lag. */
function syncLines(state: State, cells: number): Line[] {
  const marks = marksOf(state.ascii)
  return state.syncs.map(({ key, state: now, trouble, lags }) => {
    const name =
      key === ALL_CATALOG_TABLES ? 'all tables' : (lakeTables(state).find((row) => row.key === key)?.name ?? key)
    const bad = now === 'failed' || trouble !== null
    const room = Math.max(8, cells - 22)
    return [
      span(` ${bad ? marks.bad : marks.sync} `, bad ? 'bad' : 'info'),
      span(`sync ${padEnd(cutMiddle(name, room), room)} `),
      span(sparkline(lags.slice(-12), 12, state.ascii), bad ? 'bad' : 'info'),
    ]
  })
}

/** A line of the log, wrapped below its time. */
export function logLines(entry: LogEntry, cells: number): Line[] {
  const tone = entry.level === 'error' ? 'bad' : entry.level === 'warn' ? 'warn' : 'plain'
  return wrap(entry.text, Math.max(10, cells - 11)).map((text, i) => [
    span(i === 0 ? ` ${timeOfDay(entry.ts)} ` : ' '.repeat(10), 'muted'),
    span(text, tone),
  ])
}

/** The pane, `cells` wide and as high as the body. */
export function activityPane(state: State, cells: number): Line[] {
  const { body } = geometry(state)
  const marks = marksOf(state.ascii)
  const runs = lastRuns(state, null).slice(0, 8)
  const name = Math.max(8, cells - 28)
  const runLines = runs.map((run): Line => [
    span(' '),
    runMark(run.status, marks),
    span(
      ` ${padEnd(run.command, 8)} ${padEnd(cutMiddle(run.table, name), name)} ${timeOfDay(msOf(run.startedAt)).slice(0, 5)} ${run.duration.padStart(7)}`,
    ),
  ])
  const lines: Line[] = [
    line(' NOW', 'strong'),
    ...nowLines(state, cells),
    ...syncLines(state, cells),
    [],
    line(' RUNS', 'strong'),
    ...(runs.length === 0 ? [line('   none recorded', 'muted')] : runLines),
    [],
    rule('log', cells),
  ]
  const left = body - lines.length
  // The newest line is last, as on all screens.
  const newest =
    left <= 0
      ? []
      : state.log.entries
          .slice(-left)
          .flatMap((entry) => logLines(entry, cells))
          .slice(-left)
  return block([...lines, ...(newest.length === 0 ? [line(' no lines yet', 'muted')] : newest)], cells, body)
}
