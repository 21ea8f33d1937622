/** Finds paths in a log that cannot name a file in any store. */
import { parseLakeUrl, urlScheme } from '../../model/lake/lake-url.ts'
import { SluiceError } from '../../shared/errors.ts'
import { decodeOnce } from '../paths.ts'

/** Schemes of web pages. No table has its files at such a URL. */
const WEB: ReadonlySet<string> = new Set(['http', 'https', 'ftp'])

/** Why a path of a log names no file in any store; null if it may name one. Opens nothing. @param path as in the log */
export function pathFault(path: string): string | null {
  const decoded = decodeOnce(path)
  if (decoded.includes('\0')) return 'its path has a NUL character, which file names cannot have'
  if (/(?:^|\/)\.{0,2}$/.test(decoded)) return 'its path names a folder'
  const scheme = urlScheme(path)
  if (scheme === null) return null
  if (WEB.has(scheme)) return `its path is a ${scheme} address, which cannot have files of tables`
  try {
    parseLakeUrl(path)
  } catch (error) {
    if (error instanceof SluiceError && error.code === 'BAD_CONFIG') return `its path is not valid: ${error.message}`
  }
  return null
}
