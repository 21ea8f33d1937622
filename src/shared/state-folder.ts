/** The folder for private files of this user: catalogs of lakes that were only viewed, input history, local runs. */
import { homedir } from 'node:os'
import path from 'node:path'

/** @returns an absolute path of a folder that possibly does not exist yet: `sluice` in the XDG state folder */
export function stateFolder(env: Readonly<Record<string, string | undefined>>): string {
  const state = env['XDG_STATE_HOME']
  // The XDG specification requires that a relative path is ignored.
  const root = state !== undefined && path.isAbsolute(state) ? state : path.join(homedir(), '.local', 'state')
  return path.join(root, 'sluice')
}
