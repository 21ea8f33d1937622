/** Texts of a log that stand where the path of a file should, and that no store can have a file for. */
import { parseLakeUrl, urlScheme } from '../../model/lake/lake-url.ts'
import { SluiceError } from '../../shared/errors.ts'
import { decodeOnce } from '../paths.ts'

/** Pages, and no places that a table's files lie in. */
const WEB: ReadonlySet<string> = new Set(['http', 'https', 'ftp'])

/**
 * Why a path of a log names no file, whatever store the table lies in; null where it may name one. Nothing is opened.
 * @param path as the log has it
 */
export function pathFault(path: string): string | null {
  const decoded = decodeOnce(path)
  if (decoded.includes('\0')) return 'its path holds a NUL character, which no name of a file may'
  if (/(?:^|\/)\.{0,2}$/.test(decoded)) return 'its path names a folder'
  const scheme = urlScheme(path)
  if (scheme === null) return null
  if (WEB.has(scheme)) return `its path is a ${scheme} address, where no files of tables lie`
  try {
    parseLakeUrl(path)
  } catch (error) {
    if (error instanceof SluiceError && error.code === 'BAD_CONFIG') return `its path names no place: ${error.message}`
  }
  return null
}
