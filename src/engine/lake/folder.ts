/** Whether a path is a folder: a question that must not fail because the path cannot be one. */
import { statSync } from 'node:fs'
import { SluiceError } from '../../shared/errors.ts'

/** What `stat` says of a path that leads nowhere: a file in its middle, a name that is too long, a loop of links. */
const NOWHERE = new Set(['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP'])

/** @throws SluiceError SOURCE_DENIED when the folders above may not be entered, SOURCE_IO */
export function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    if (NOWHERE.has(code)) return false
    const reason = (error as Error).message
    if (code === 'EACCES' || code === 'EPERM') {
      throw new SluiceError('SOURCE_DENIED', 'Permission denied', {
        where: path,
        reason: `File system or database permissions (${code})`,
        hint: 'Verify user permissions on files and database',
        cause: error,
      })
    }
    throw new SluiceError('SOURCE_IO', 'the path cannot be looked at', { where: path, reason, cause: error })
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
