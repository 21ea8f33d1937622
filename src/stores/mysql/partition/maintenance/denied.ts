/** Rights that a login lacks, named as the server names them: without them nobody knows what to ask for. */
import { SluiceError } from '../../../../shared/errors.ts'
import { mysqlErrorNumber } from '../../error-numbers.ts'

/** A database, a command on a table, a column, or a right of the whole server. */
const DENIED = new Set([1044, 1142, 1143, 1227])

const RIGHTS =
  'GRANT it; partition list takes SELECT on the table, and ensure SELECT and ALTER, of MySQL CREATE and INSERT too, and FILE for a DATA DIRECTORY'

/** @returns what a right is lacking for; null for other errors */
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

/** The dictionary shows nobody a column that he has no right to. */
export function columnsHidden(where: string, expression: string): SluiceError {
  return new SluiceError('SOURCE_DENIED', `the login may not see the columns of ${where}`, {
    where,
    reason: `it has no SELECT on what the table is partitioned by, ${expression}`,
    hint: RIGHTS,
  })
}
