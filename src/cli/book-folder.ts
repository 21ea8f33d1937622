/** Where the book of this machine's runs is. */
import { stateFolder } from '../shared/state-folder.ts'
import type { Surroundings } from './ports.ts'

/** @returns undefined for who has no folder of his own, as some services have none: no book is kept then */
export function bookFolder(env: Surroundings['env']): string | undefined {
  return env['XDG_STATE_HOME'] === undefined && env['HOME'] === undefined ? undefined : stateFolder(env)
}
