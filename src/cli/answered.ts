/** Runs a command of the command line itself, from its first event to its exit code. */
import { statusOf } from '../model/run/run-status.ts'
import type { Dec } from '../model/run/event.ts'
import { asSluiceError, type ErrorInfo } from '../shared/errors.ts'
import type { CliSession } from './session.ts'

type Answering = {
  readonly command: string
  readonly tool: string
  readonly ticks: () => number
  /**
   * Printed command line whose databases and config file are added to commands in hints; absent: hints stay as they
   * are.
   */
  readonly around?: string
}

/** @param body emits the rows and returns their totals @returns the exit code */
export async function answered(
  session: CliSession,
  { command, tool, ticks, around }: Answering,
  body: () => Promise<Readonly<Record<string, Dec>>>,
): Promise<number> {
  const began = ticks()
  const ms = (): number => Math.round(ticks() - began)
  session.emit({ type: 'run.started', command, tool })
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
      error: around === undefined ? error.info() : await whole(error.info(), around),
    })
    return exitCode
  }
}

async function whole(error: ErrorInfo, around: string): Promise<ErrorInfo> {
  if (error.hint === undefined) return error
  const { wholeCommands } = await import('../app/whole-commands/whole.ts')
  return { ...error, hint: wholeCommands(around)(error.hint) }
}
