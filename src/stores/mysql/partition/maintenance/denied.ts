/** Rights that a login lacks, in the server's words, so that the user can request them. */
import { SluiceError } from '../../../../shared/errors.ts'
import { mysqlErrorNumber } from '../../error-numbers.ts'

/** Error numbers: no right on a database, for a command on a table, on a column, or on the whole server. */
const DENIED = new Set([1044, 1142, 1143, 1227])

const RIGHTS =
  'GRANT it: partition list needs SELECT on the table; partition ensure needs SELECT and ALTER, on MySQL also CREATE and INSERT, and FILE for a DATA DIRECTORY'

/** @returns an error that names the missing right; null for other errors */
export function deniedError(
  thrown: unknown,
  code: 'SOURCE_DENIED' | 'TARGET_DENIED',
  where: string,
): SluiceError | null {
  if (!DENIED.has(mysqlErrorNumber(thrown) ?? 0)) return null
  let words: unknown
  for (let error = thrown; error instanceof Error; error = error.cause) {
    words = (error as { readonly sqlMessage?: unknown }).sqlMessage ?? words
  }
  return new SluiceError(code, 'the login lacks a right', {
    where,
    reason: String(words),
    hint: RIGHTS,
    cause: thrown,
  })
}

/** Error for partition columns that the dictionary hides, because the login has no right on them. */
export function columnsHidden(where: string, expression: string): SluiceError {
  return new SluiceError('SOURCE_DENIED', `the login may not see the columns of ${where}`, {
    where,
    reason: `it has no right SELECT on the partition columns, ${expression}`,
    hint: RIGHTS,
  })
}
