/** Runs a command of the command line itself, from its first event to its exit code. */
import { statusOf } from '../model/run/run-status.ts'
import type { Dec } from '../model/run/event.ts'
import type { Clock } from '../shared/clock.ts'
import { asSluiceError, type ErrorInfo } from '../shared/errors.ts'
import { toolVersion } from './version.ts'
import type { CliSession } from './session.ts'

/**
 * @param body emits the rows and returns their totals
 * @param printedLine command line as printed: its databases and config file are added to commands in hints. Absent:
 * hints are unchanged
 * @returns the exit code
 */
export async function runOwnCommand(
  command: string,
  session: CliSession,
  clock: Clock,
  body: () => Promise<Readonly<Record<string, Dec>>>,
  printedLine?: string,
): Promise<number> {
  const began = clock.ticks()
  const ms = (): number => Math.round(clock.ticks() - began)
  session.emit({ type: 'run.started', command, tool: toolVersion() })
  try {
    const totals = await body()
    session.emit({ type: 'run.finished', ms: ms(), status: 'ok', exitCode: 0, totals })
    return 0
  } catch (thrown) {
    const error = asSluiceError(thrown)
    const { exitCode } = error
    session.emit({
      type: 'run.finished',
      ms: ms(),
      status: statusOf(error.kind),
      exitCode,
      totals: {},
      error: printedLine === undefined ? error.info() : await withWholeCommands(error.info(), printedLine),
    })
    return exitCode
  }
}

async function withWholeCommands(error: ErrorInfo, printedLine: string): Promise<ErrorInfo> {
  if (error.hint === undefined) return error
  const { wholeCommands } = await import('../app/whole-commands/whole.ts')
  return { ...error, hint: wholeCommands(printedLine)(error.hint) }
}
