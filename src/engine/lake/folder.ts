/** Whether a path that somebody gave is a folder. */
import { SluiceError } from '../../shared/errors.ts'
import { permissionDenied } from '../../shared/guide-errors.ts'
import { isFolder as isFolderHere } from '../../shared/folder.ts'

/** @throws SluiceError SOURCE_DENIED when the folders above may not be entered, SOURCE_IO */
export function isFolder(path: string): boolean {
  try {
    return isFolderHere(path)
  } catch (error) {
    const { code = '', message: reason } = error as NodeJS.ErrnoException
    if (code === 'EACCES' || code === 'EPERM') {
      const [denied, words, details] = permissionDenied('SOURCE_DENIED', { where: path, cause: error })
      throw new SluiceError(denied, words, { ...details, reason: `${details.reason} (${code})` })
    }
    throw new SluiceError('SOURCE_IO', 'the path cannot be looked at', { where: path, reason, cause: error })
  }
}
