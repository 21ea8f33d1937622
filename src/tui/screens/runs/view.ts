/** The list of runs: of this session, of this machine, and of all open catalogs and ledgers. */
import {
  clockSpan,
  shownCount,
  msOf,
  shownTime,
  percent,
  amount,
  rate,
  seconds,
} from '../../../render/screen-format.ts'
import { block, chosen, line, span, type Line } from '../../draw/line.ts'
import { clean, column, cutMiddle, padEnd, wrap } from '../../../render/screen-text.ts'
import { marksOf } from '../../draw/theme.ts'
import { runProgress } from '../../run/run-view.ts'
import { geometry } from '../../state/geometry.ts'
import { sharedBy } from './run-rows.ts'
import { sharedWord, withSent } from '../queue/queue-shown.ts'
import { runRows, type ListedRun } from '../../state/selectors.ts'
import type { State } from '../../state/state.ts'
import { countedAsOf, queueLine } from '../queue/words.ts'
import { machineStatus } from '../run/run-texts.ts'
import { runMark } from '../../views/states.ts'
import { shownTableName } from '../../views/table-name.ts'
import type { MachineRun, SharedRun } from '../../../app/workbench.ts'
import type { CopyRunEvent } from '../../../model/run/event.ts'
import { subjectsOf } from '../../../app/operations/facts.ts'
import { descriptionOf } from '../../../model/run/run-history.ts'
import type { Operation } from '../../../app/operations/list.ts'

/** Subject of an operation: its table, or the number of tables. @param machine runs used to name streams */
export function subject(operation: Operation, machine: readonly MachineRun[]): string {
  if (operation.kind === 'batch-import' && operation.only !== undefined)
    return `${operation.only.length} tables of ${operation.path}`
  return descriptionOf(subjectsOf(operation).join(', '), new Map(machine.map(({ run, about }) => [run, about])))
}

type Cells = {
  readonly started: string
  readonly status: string
  readonly command: string
  readonly table: string
  readonly time: string
  readonly detail: string
  readonly run: string
  /** `queue`, `here`, or the name of another host; '' if unknown. */
  readonly where: string
}

function cellsOf(row: ListedRun, state: State): Cells {
  if (row.kind === 'shared') return sharedCells(row.run, state)
  if (row.kind === 'machine') return machineCells(row.run, state)
  if (row.kind === 'ledger') return ledgerCells(row.run, state)
  if (row.kind === 'past') {
    const { run } = row
    const from = msOf(run.startedAt)
    const to = msOf(run.completedAt)
    return {
      started: shownTime(from, state.now),
      status: run.status,
      command: run.command,
      table: run.table,
      time: from === null || to === null ? '' : seconds(to - from),
      detail: run.error ?? (run.version === undefined ? '' : `v${run.version}`),
      run: run.run,
      where: '',
    }
  }
  const { run } = row
  return {
    started: shownTime(run.startedAt, state.now),
    status: run.finished?.status ?? (run.phase === 'done' ? 'failed' : 'running'),
    command: run.operation.kind === 'performance-compare' ? 'compare' : run.operation.kind,
    table: subject(run.operation, state.runs.machine),
    time: run.endedAt === null ? percent(runProgress(run)) : seconds(run.endedAt - run.startedAt),
    detail: run.finished?.error?.message ?? (run.joined === null ? '' : `joined, process ${run.joined.pid}`),
    run: run.runId ?? '',
    where: HERE,
  }
}

const HERE = 'here'

/** Note for a run that belongs to a listed queue run; null for other runs. */
function sharedRunNote(run: string, state: State): string | null {
  const shared = sharedBy(state, run)
  return shared === null ? null : `queue task, of run ${shared.runId}`
}

/** Cells of a queue run. While the queue cannot be reached, the run is not shown as running. */
function sharedCells(reported: SharedRun, { queue, now }: State): Cells {
  if (queue === null) throw new Error('a run of a queue without a queue')
  const run = withSent(reported, queue)
  const { slots, begunAt, endedAt, source, target, error, refusals } = run
  const status = sharedWord(run, queue)
  const isOpen = run.status === 'running' && queue.error === null
  const counts = [
    ...(isOpen && slots.working > 0 ? [amount(slots.working, 'task')] : []),
    ...(isOpen && slots.queued > 0 ? [`${shownCount(slots.queued)} ${slots.queued === 1 ? 'waits' : 'wait'}`] : []),
  ]
  const pace = isOpen && run.rate >= 0.5 ? [rate(run.rate)] : []
  const rows = run.rows === 0n ? [] : [`${shownCount(Number(run.rows))} rows${countedAsOf(run)}`]
  const refused = refusals.length === 0 || !isOpen ? [] : [`refused by ${refusals.map(({ host }) => host).join(', ')}`]
  const end = endedAt ?? queue.now
  return {
    started: shownTime(begunAt, now),
    status,
    command: run.kind,
    table: run.about === '' ? [source, target].filter((place) => place !== null).join(' → ') : run.about,
    time:
      end === null || (endedAt === null && queue.error !== null)
        ? ''
        : endedAt === null
          ? clockSpan(end - begunAt)
          : seconds(end - begunAt),
    detail: [...(error === null ? [] : [error.message]), ...pace, ...counts, ...rows, ...refused].join(' · '),
    run: run.runId,
    where: 'queue',
  }
}

function machineCells(run: MachineRun, state: State): Cells {
  const { kind, about, begunAt, end, host } = run
  const said: Readonly<Record<MachineRun['state'], string>> = {
    live: run.canJoin ? 'enter joins it' : 'works in another program',
    ended: end?.error ?? '',
    'broken off': 'its program has ended; enter shows how to resume it',
    elsewhere: `on ${host ?? 'another machine'}`,
  }
  return {
    started: shownTime(begunAt, state.now),
    status: machineStatus(run),
    command: kind,
    table: about,
    time: end === null ? '' : seconds(end.endedAt - begunAt),
    detail: sharedRunNote(run.run, state) ?? said[run.state],
    run: run.run,
    where: run.state === 'elsewhere' ? (host ?? '') : HERE,
  }
}

function ledgerCells(run: CopyRunEvent, state: State): Cells {
  const from = msOf(run.startedAt)
  const to = msOf(run.completedAt)
  const where = run.host === undefined ? '' : `on ${run.host}`
  return {
    started: shownTime(from, state.now),
    status: run.status,
    command: run.operation,
    table: `${run.source} → ${run.target}`,
    time: from === null || to === null ? '' : seconds(to - from),
    detail: sharedRunNote(run.run, state) ?? run.error ?? where,
    run: run.run,
    where: run.host ?? '',
  }
}

/** Width of the WHERE column. */
const WHERE = 9

/** Width of the status word, after its mark. */
const STATUS = 10

/** Width of the operation column; the wide one fits the longest operation that can be queued. */
const COMMAND = { wide: 17, small: 14 } as const

/** Below this width a row shows only operation and subject. */
const NARROW = 60

function narrowList(state: State, rows: readonly ListedRun[], cells: number, body: number): Line[] {
  const marks = marksOf(state.ascii)
  const name = cells - 26
  const { top, cursor } = state.runs.at
  const lines = rows.slice(top, top + body - 1).map((row, at): Line => {
    const { started, status, command, table, where } = cellsOf(row, state)
    const here = top + at === cursor
    const drawn: Line = [
      span(` ${here ? marks.row : ' '} ${padEnd(started.slice(0, 5), 6)}`),
      runMark(status === 'live' ? 'running' : status, marks),
      span(
        ` ${padEnd(clean(command), 14)} ${nameAndQueue(cutMiddle(clean(shownTableName(table, state.lake)), name - (where === 'queue' ? 8 : 0)), where)}`,
      ),
    ]
    return here ? chosen(drawn, cells) : drawn
  })
  const head = line(`   ${padEnd('BEGAN', 8)}${padEnd('COMMAND', 15)}TABLE`, 'strong')
  return withQueue([head, ...(rows.length === 0 ? nothingListed(state, cells) : lines)], state, cells, body)
}

const nameAndQueue = (name: string, where: string): string => (where === 'queue' ? `${name} · queue` : name)

/** Adds a line about the queue below the list. */
function withQueue(lines: readonly Line[], { queue }: State, cells: number, body: number): Line[] {
  if (queue === null) return block(lines, cells, body)
  return [...block(lines, cells, body - 1), ...block([queueLine(queue, 'runs', cells)], cells, 1)]
}

/** Lines shown if there are no runs. */
function nothingListed({ slots: { runs } }: State, cells: number): Line[] {
  if (runs.error !== null) return wrap(clean(runs.error), cells - 4).map((text) => line(`   ${text}`, 'bad'))
  return [line(runs.value === null ? '   reading …' : '   no run is recorded', 'muted')]
}

/** Lines of the screen. */
export function runsScreen(state: State, cells: number): Line[] {
  const { body } = geometry(state)
  const marks = marksOf(state.ascii)
  const rows = runRows(state)
  const wide = cells >= 100
  const places = state.queue !== null
  const command = wide ? COMMAND.wide : COMMAND.small
  // Without a WHERE column the notes of queue runs begin with `queue`.
  const name = Math.max(14, Math.min(40, Math.floor(cells * 0.25)) - (places ? (wide ? WHERE : 6) : 0))
  if (cells < NARROW) return narrowList(state, rows, cells, body)
  const head = line(
    `   ${padEnd('STARTED', 12)}${padEnd('STATUS', 12)}${padEnd('COMMAND', command)}${padEnd('TABLE', name)}${'TIME'.padStart(9)}  ${wide ? padEnd('RUN', 21) : ''}${places && wide ? padEnd('WHERE', WHERE) : ''}SAID`,
    'strong',
  )
  const lines: Line[] = []
  for (let i = state.runs.at.top; i < Math.min(rows.length, state.runs.at.top + body - 1); i += 1) {
    const row = rows[i]
    if (row === undefined) continue
    const c = cellsOf(row, state)
    const here = i === state.runs.at.cursor
    const drawn: Line = [
      span(` ${here ? marks.row : ' '} ${column(c.started, 12)}`),
      runMark(c.status === 'live' ? 'running' : c.status, marks),
      span(
        ` ${column(clean(c.status), STATUS)}${column(clean(c.command), command)}${column(cutMiddle(shownTableName(c.table, state.lake), name - 1), name)}${c.time.padStart(9)}  `,
      ),
      ...(wide ? [span(padEnd(c.run, 21), 'muted')] : []),
      ...(places && wide ? [span(padEnd(clean(c.where), WHERE - 1) + ' ')] : []),
      span(clean(c.where === 'queue' && !wide ? `queue ${c.detail}` : c.detail)),
    ]
    lines.push(here ? chosen(drawn, cells) : drawn)
  }
  if (rows.length === 0) lines.push(...nothingListed(state, cells))
  return withQueue([head, ...lines], state, cells, body)
}
