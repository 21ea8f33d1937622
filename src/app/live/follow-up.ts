/** Follow-up command in a list of runs. */
import type { MachineRun } from '../workbench.ts'

/** `--confirm` with its value, in any quoting that a shell accepts. */
const CONFIRMATION = / (?:--confirm(?:=| )(?:'[^']*'|\\.|[^\s'\\])*|'--confirm=[^']*'(?:\\''[^']*')*)/g

/**
 * The command that continues a run, without --confirm: a user who copies the command from a list has not read what it
 * destroys. The command then asks for the confirmation.
 * @returns null if nothing is left to do, or the run is still active
 */
export function followUpCommand({ state, end, commandLine, doneBy }: MachineRun): string | null {
  if (doneBy !== null) return null
  const next = state === 'broken off' ? commandLine : (end?.resumeCommand ?? null)
  return next === null ? null : unconfirmedCommand(next)
}

/** A command for a list: without its confirmation. */
export function unconfirmedCommand(commandLine: string): string {
  return commandLine.replaceAll(CONFIRMATION, '')
}
