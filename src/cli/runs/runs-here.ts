/** `sluice runs --here`: runs of this user on this machine, from the run history and the control sockets. */
import { followUpCommand } from '../../app/live/follow-up.ts'
import { LocalRuns } from '../../app/live/machine-runs.ts'
import type { MachineRun } from '../../app/workbench.ts'
import { isoTime } from '../../shared/clock.ts'
import type { SluiceError } from '../../shared/errors.ts'
import type { RecordedEnd } from '../../model/run/run-history.ts'
import { historyFolder } from '../config/history-folder.ts'
import { toolVersion } from '../version.ts'
import type { CliContext } from '../ports.ts'
import type { CliSession } from '../session.ts'

/** Live runs are searched only among this many newest runs. */
const RECENT = 200

type Env = CliContext['env']

type FoundRuns = {
  readonly runs: readonly MachineRun[]
  readonly trouble: SluiceError | null
  /** Damaged run histories that were renamed. */
  readonly renamedHistories: readonly string[]
}

async function runsHere(env: Env, limit: number): Promise<FoundRuns> {
  const runs = new LocalRuns(historyFolder(env) ?? null, env)
  try {
    return { runs: await runs.list(limit), trouble: runs.trouble(), renamedHistories: runs.renamedFiles() }
  } finally {
    runs.close()
  }
}

/** @returns the end of a run as recorded in the run history, with its commands; null if it was not recorded */
export async function endHere(env: Env, id: string): Promise<RecordedEnd | null> {
  const runs = new LocalRuns(historyFolder(env) ?? null, env)
  try {
    return await runs.endOf(id)
  } finally {
    runs.close()
  }
}

/** One line per active run of this machine. */
export async function liveNotes(env: Env): Promise<readonly string[]> {
  const { runs } = await runsHere(env, RECENT)
  return runs
    .filter(({ canJoin }) => canJoin)
    .map(
      ({ run, kind, about }) =>
        `live here: run ${run}, ${[kind, about].filter((word) => word !== '').join(' ')}; sluice attach ${run}`,
    )
}

/** Lists the runs. @returns the exit code */
export async function listRunsHere(session: CliSession, limit: number, env: Env): Promise<number> {
  session.emit({ type: 'run.started', command: 'runs', tool: toolVersion() })
  const { runs: found, trouble, renamedHistories } = await runsHere(env, limit)
  const runs = found.slice(0, limit)
  const columns = ['run', 'status', 'exit', 'command', 'about', 'started', 'ended', 'goes on by']
  if (runs.length > 0) session.emit({ type: 'columns', columns })
  for (const one of runs) session.emit({ type: 'row', values: rowOf(one) })
  for (const file of renamedHistories) {
    const message = `${file} is a damaged run history that was renamed; no command reads it`
    session.emit({ type: 'log', level: 'note', message })
  }
  const exitCode = trouble?.exitCode ?? 0
  session.emit({
    type: 'run.finished',
    status: trouble === null ? 'ok' : 'failed',
    exitCode,
    totals: { runs: String(runs.length) },
    ms: 0,
    ...(trouble === null ? {} : { error: trouble.info() }),
  })
  return exitCode
}

function rowOf(one: MachineRun): (string | number | null)[] {
  const { run, kind, about, begunAt, state, end, host } = one
  const status = state === 'ended' ? (end?.status ?? '') : state === 'elsewhere' ? `on ${host ?? '?'}` : state
  const next = state === 'live' ? `sluice attach ${run}` : (followUpCommand(one) ?? '')
  return [
    run,
    status,
    end?.exitCode ?? null,
    kind,
    about,
    isoTime(begunAt),
    end === null ? null : isoTime(end.endedAt),
    next,
  ]
}
