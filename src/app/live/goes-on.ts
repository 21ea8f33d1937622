/** What a list of runs offers behind a run. */
import type { MachineRun } from '../workbench.ts'

/** `--confirm` with its name, in any way that a shell reads it as words: quoted in part, as a whole, or behind a blank. */
const CONFIRMATION = / (?:--confirm(?:=| )(?:'[^']*'|\\.|[^\s'\\])*|'--confirm=[^']*'(?:\\''[^']*')*)/g

/**
 * The command that goes on with a run, without a confirmation: who copies a line of a list has not read what it destroys. The command asks for the name then.
 * @returns null where nothing is left to do, or the run still goes on
 */
export function goesOnBy({ state, end, commandLine, doneBy }: MachineRun): string | null {
  if (doneBy !== null) return null
  const next = state === 'broken off' ? commandLine : (end?.resumeCommand ?? null)
  return next === null ? null : unconfirmed(next)
}

/** A command as a list gives it out: without its confirmation. */
export function unconfirmed(commandLine: string): string {
  return commandLine.replaceAll(CONFIRMATION, '')
}
