/** `sluice ctl`: steers a run of this machine, or lists the active ones. */
import path from 'node:path'
import { asSluiceError } from '../../shared/errors.ts'
import { controlSocketPath } from '../../engine/copy/workers/control-socket.ts'
import { runsIn } from '../../engine/run/socket-folder.ts'
import { runOwnCommand } from '../run-own-command.ts'
import { controlRun, type ControlRequest, type RunState } from './ctl.ts'
import type { CliContext } from '../ports.ts'
import type { CliSession } from '../session.ts'

/** @param run null: lists the active runs @returns the exit code */
export async function runCtl(
  run: string | null,
  request: ControlRequest,
  session: CliSession,
  { clock, env }: CliContext,
): Promise<number> {
  const socketPath = (runId: string): string => controlSocketPath(runId, env)
  return await runOwnCommand('ctl', session, clock, async () => {
    const found =
      run === null ? await statesOf(socketPath) : [{ run, state: await controlRun(socketPath(run), request) }]
    report(session, found)
    return { runs: String(found.length) }
  })
}

/** @property state as reported by the run; null if it does not answer */
type FoundRun = { readonly run: string; readonly state: RunState | null }

/**
 * States of all runs; sockets left behind by killed runs are skipped. All requests are sent at once, so that a silent
 * run does not delay others.
 */
async function statesOf(socketPath: (runId: string) => string): Promise<readonly FoundRun[]> {
  const asked = runsIn(path.dirname(socketPath('0'))).map(async (run): Promise<readonly FoundRun[]> => {
    try {
      return [{ run, state: await controlRun(socketPath(run), { get: true }) }]
    } catch (thrown) {
      const { code } = asSluiceError(thrown)
      if (code === 'NO_SUCH_PATH') return []
      if (code === 'CONNECT_FAILED') return [{ run, state: null }]
      throw thrown
    }
  })
  return (await Promise.all(asked)).flat()
}

/** Note for a run that does not answer. */
const SILENT = 'does not answer'

function report(session: CliSession, found: readonly FoundRun[]): void {
  const columns = [...new Set(found.flatMap(({ state }) => Object.keys(state ?? {})))]
  const late = found.some(({ state }) => state === null) ? ['note'] : []
  if (found.length > 0) session.emit({ type: 'columns', columns: ['run', ...columns, ...late] })
  for (const { run, state } of found) {
    const notes = late.map(() => (state === null ? SILENT : ''))
    session.emit({ type: 'row', values: [run, ...columns.map((name) => shown(state?.[name])), ...notes] })
  }
}

function shown(value: unknown): string | number | null {
  if (value === undefined || value === null) return null
  if (typeof value === 'number' || typeof value === 'string') return value
  return Array.isArray(value) ? value.map(String).join(', ') : JSON.stringify(value)
}
