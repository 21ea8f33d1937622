/** The list of runs: of this session, of this machine, of every catalog and ledger that is open. */
import { msOf, moment, percent, seconds } from '../draw/format.ts'
import type { Line } from '../draw/line.ts'
import { block, chosen, line, span } from '../draw/line.ts'
import { clean, cutMiddle, padEnd, wrap } from '../draw/text.ts'
import { marksOf } from '../draw/theme.ts'
import { share } from '../run/run-view.ts'
import { geometry } from '../state/geometry.ts'
import type { RunRow } from '../state/selectors.ts'
import { runRows } from '../state/selectors.ts'
import type { State } from '../state/state.ts'
import { machineStatus } from './run-texts.ts'
import { runMark } from './states.ts'
import { tableName } from './table-name.ts'
import type { MachineRun } from '../../engine/workbench.ts'
import type { CopyRunEvent } from '../../model/event.ts'
import { subjectsOf } from '../../engine/operations/facts.ts'
import type { Operation } from '../../engine/operations/list.ts'

/** What an operation is about: its table, or how many. */
export function subject(operation: Operation): string {
  if (operation.kind === 'batch-import' && operation.only !== undefined)
    return `${operation.only.length} tables of ${operation.path}`
  return subjectsOf(operation).join(', ')
}

type Cells = {
  readonly started: string
  readonly status: string
  readonly command: string
  readonly table: string
  readonly time: string
  readonly said: string
  readonly run: string
}

function cellsOf(row: RunRow, state: State): Cells {
  if (row.kind === 'machine') return machineCells(row.run, state)
  if (row.kind === 'ledger') return ledgerCells(row.run, state)
  if (row.kind === 'past') {
    const { run } = row
    const from = msOf(run.startedAt)
    const to = msOf(run.completedAt)
    return {
      started: moment(from, state.now),
      status: run.status,
      command: run.command,
      table: run.table,
      time: from === null || to === null ? '' : seconds(to - from),
      said: run.error ?? (run.version === undefined ? '' : `v${run.version}`),
      run: run.run,
    }
  }
  const { run } = row
  return {
    started: moment(run.startedAt, state.now),
    status: run.finished?.status ?? (run.phase === 'done' ? 'failed' : 'running'),
    command: run.operation.kind === 'performance-compare' ? 'compare' : run.operation.kind,
    table: subject(run.operation),
    time: run.endedAt === null ? percent(share(run)) : seconds(run.endedAt - run.startedAt),
    said: run.finished?.error?.message ?? (run.joined === null ? '' : `joined, process ${run.joined.pid}`),
    run: run.runId ?? '',
  }
}

function machineCells(run: MachineRun, state: State): Cells {
  const { kind, about, begunAt, end, host } = run
  const said: Readonly<Record<MachineRun['state'], string>> = {
    live: run.canJoin ? 'enter joins it' : 'goes on in another program',
    ended: end?.error ?? '',
    'broken off': `its program has ended; enter says how it goes on`,
    elsewhere: `on ${host ?? 'another machine'}`,
  }
  return {
    started: moment(begunAt, state.now),
    status: machineStatus(run),
    command: kind,
    table: about,
    time: end === null ? '' : seconds(end.endedAt - begunAt),
    said: said[run.state],
    run: run.run,
  }
}

function ledgerCells(run: CopyRunEvent, state: State): Cells {
  const from = msOf(run.startedAt)
  const to = msOf(run.completedAt)
  const where = run.host === undefined ? '' : `on ${run.host}`
  return {
    started: moment(from, state.now),
    status: run.status,
    command: run.operation,
    table: `${run.source} → ${run.target}`,
    time: from === null || to === null ? '' : seconds(to - from),
    said: run.error ?? where,
    run: run.run,
  }
}

/** The screen. */
export function runsScreen(state: State, cells: number): Line[] {
  const { body } = geometry(state)
  const marks = marksOf(state.ascii)
  const rows = runRows(state)
  const name = Math.max(14, Math.min(40, Math.floor(cells * 0.25)))
  const head = line(
    `   ${padEnd('STARTED', 12)}${padEnd('STATUS', 12)}${padEnd('COMMAND', 14)}${padEnd('TABLE', name)}${'TIME'.padStart(9)}  ${cells >= 100 ? padEnd('RUN', 21) : ''}SAID`,
    'strong',
  )
  const lines: Line[] = []
  for (let i = state.runs.at.top; i < Math.min(rows.length, state.runs.at.top + body - 1); i += 1) {
    const row = rows[i]
    if (row === undefined) continue
    const c = cellsOf(row, state)
    const here = i === state.runs.at.cursor
    const drawn: Line = [
      span(` ${here ? marks.row : ' '} ${padEnd(c.started, 12)}`),
      runMark(c.status === 'live' ? 'running' : c.status, marks),
      span(
        ` ${padEnd(clean(c.status), 10)}${padEnd(clean(c.command), 14)}${padEnd(cutMiddle(tableName(c.table, state.lake), name - 1), name)}${c.time.padStart(9)}  `,
      ),
      ...(cells >= 100 ? [span(padEnd(c.run, 21), 'muted')] : []),
      span(clean(c.said)),
    ]
    lines.push(here ? chosen(drawn, cells) : drawn)
  }
  if (rows.length === 0) {
    const slot = state.slots.runs
    if (slot.error === null) lines.push(line(slot.value === null ? '   reading …' : '   no run is recorded', 'muted'))
    else lines.push(...wrap(clean(slot.error), cells - 4).map((text) => line(`   ${text}`, 'bad')))
  }
  return block([head, ...lines], cells, body)
}
