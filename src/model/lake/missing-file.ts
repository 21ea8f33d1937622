/** Error for a file or object that does not exist, although a listing or a log names it. */
import { SluiceError, type ErrorDetails } from '../../shared/errors.ts'

const IN_LOG = '/_delta_log/'

/** Error for a missing file or object. A log is listed before its files are read, so it was deleted in between. */
export function sourceGone(what: 'file' | 'object', where: string, details: ErrorDetails = {}): SluiceError {
  const hint = where.includes(IN_LOG)
    ? { hint: 'a program that cleans the log deleted it after the log was listed: run the same command again' }
    : {}
  return new SluiceError('SOURCE_GONE', `the ${what} no longer exists`, { where, ...hint, ...details })
}
