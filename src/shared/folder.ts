/** Whether a path is a folder: a question that must not fail because the path cannot be one. */
import { statSync } from 'node:fs'

/** What `stat` says of a path that leads nowhere: a file in its middle, a name that is too long, a loop of links. */
const NOWHERE = new Set(['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP'])

/** @throws the file system's own error where it does not let us look */
export function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch (error) {
    if (NOWHERE.has((error as NodeJS.ErrnoException).code ?? '')) return false
    throw error
  }
}

/** The same where an error is an answer too: what cannot be looked at is no folder. */
export function looksLikeFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    return false
  }
}
