/**
 * Where this user's programs keep what is theirs alone: catalogs of lakes that were only looked at, what was typed,
 * what ran on this machine.
 */
import { homedir } from 'node:os'
import path from 'node:path'

/** @returns an absolute path, which need not be there yet; `sluice` of the XDG state folder */
export function stateFolder(env: Readonly<Record<string, string | undefined>>): string {
  const state = env['XDG_STATE_HOME']
  // The XDG rules say to ignore a relative path.
  const root = state !== undefined && path.isAbsolute(state) ? state : path.join(homedir(), '.local', 'state')
  return path.join(root, 'sluice')
}
