/** Tests whether a path is a folder, without an error for an impossible path. */
import { statSync } from 'node:fs'

/** Errors of `stat` if nothing exists at a path: also a file instead of a folder, too long a name, a loop of links. */
const NOT_FOUND = new Set(['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP'])

/** True if the path is a folder. @throws the error of the file system if it denies access */
export function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch (error) {
    if (NOT_FOUND.has((error as NodeJS.ErrnoException).code ?? '')) return false
    throw error
  }
}

/** As `isFolder`, but false for any error. */
export function isFolderPath(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    return false
  }
}
