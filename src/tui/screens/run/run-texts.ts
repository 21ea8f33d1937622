/** Details of a run that is not joined: from the run history of this machine, or from the ledger of its target. */
import { followUpCommand } from '../../../app/live/follow-up.ts'
import type { CurvePoint, MachineRun } from '../../../app/workbench.ts'
import type { CopyChunkEvent, CopyRunEvent, Dec } from '../../../model/run/event.ts'
import { countDec, fullTime, msOf, seconds } from '../../../render/screen-format.ts'
import { curveLines } from './curve.ts'

const row = (label: string, text: string): string => `${label.padEnd(13)}${text}`

/** @param cells width of a line */
export function machineRunText(
  run: MachineRun,
  curve: readonly CurvePoint[],
  cells: number,
  ascii: boolean,
): readonly string[] {
  const { end, source, target, host, folder } = run
  const facts = Object.entries(end?.totals ?? {}).map(([name, value]) => row(name, countDec(value)))
  return [
    row('run', run.run),
    row('status', machineStatus(run)),
    row('started', fullTime(run.begunAt)),
    ...(end === null ? [] : [row('ended', fullTime(end.endedAt)), row('took', seconds(end.endedAt - run.begunAt))]),
    ...(source === null ? [] : [row('from', source)]),
    ...(target === null ? [] : [row('to', target)]),
    ...(host === null ? [] : [row('on', host)]),
    ...(folder === null ? [] : [row('folder', folder)]),
    ...facts,
    ...(end?.error == null ? [] : ['', row('why', end.error)]),
    '',
    row('command', run.commandLine),
    ...(run.doneBy === null ? [] : [row('done by', `run ${run.doneBy}`)]),
    ...(followUpCommand(run) === null ? [] : [row('goes on by', followUpCommand(run) ?? '')]),
    ...withGap(curveLines(curve, cells, ascii)),
  ]
}

const withGap = (lines: readonly string[]): readonly string[] => (lines.length === 0 ? [] : ['', ...lines])

/** State of the run in one or two words. */
export function machineStatus({ state, end }: Pick<MachineRun, 'state' | 'end'>): string {
  if (state === 'ended') return end?.status ?? 'ended'
  if (state === 'broken off') return 'broke off'
  return state === 'live' ? 'live' : 'running'
}

/**
 * A copy read from the ledger of its target. @param totals chunks by state @param chunks some chunks, failed ones first
 */
export function ledgerRunText(
  run: CopyRunEvent,
  url: string,
  totals: Readonly<Record<string, Dec>>,
  chunks: readonly CopyChunkEvent[],
): readonly string[] {
  const to = msOf(run.completedAt)
  return [
    row('run', run.run),
    row('what', run.operation),
    row('status', run.status),
    ...(run.host === undefined ? [] : [row('on', run.host)]),
    row('from', run.source),
    row('to', run.target),
    row('rows', countDec(run.rows)),
    row('started', fullTime(msOf(run.startedAt))),
    row('ended', to === null ? 'not reported' : fullTime(to)),
    ...(run.exitCode === undefined ? [] : [row('exit', String(run.exitCode))]),
    ...(run.error === undefined ? [] : ['', row('why', run.error)]),
    ...withGap(Object.entries(totals).map(([name, value]) => row(name, countDec(value)))),
    ...withGap(
      chunks.map(({ table, chunk, status, rows, error }) =>
        row(`chunk ${chunk}`, `${table}  ${status}  ${countDec(rows)} rows${error === undefined ? '' : `  ${error}`}`),
      ),
    ),
    '',
    row('by', `the ledger of ${url}`),
  ]
}
