/** Folder of the run history of this machine. */
import { stateFolder } from '../../shared/state-folder.ts'
import type { CliContext } from '../ports.ts'

/** @returns undefined for a user without home folder, as for some services: no history is kept then */
export function historyFolder(env: CliContext['env']): string | undefined {
  return env['XDG_STATE_HOME'] === undefined && env['HOME'] === undefined ? undefined : stateFolder(env)
}
