/** Classifies errors of an archive query: of source rows, of files, or of the statement. */
import type { QueryColumn } from '../../../model/archive/query-port.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { valueRefusal, refused } from '../archive/wire-cast.ts'
import { engineError, firstLine, messageOf } from '../errors.ts'
import { LINE_BYTES } from './read-csv.ts'
import { queryFailure } from './statement.ts'

/** Start of the error text if the statement reads a column that was not loaded. */
export const NOT_RESTORED = 'sluice did not read the column'

/** Maps an error of a query that was planned without an error: the files may be the cause. */
export function answerFailure(error: unknown, folder: string, hint: string): unknown {
  if (error instanceof SluiceError || !(error instanceof Error)) return queryFailure(error, hint)
  const { message } = error
  if (message.includes(NOT_RESTORED)) return new SluiceError('INTERNAL', message, { cause: error })
  const ofFiles =
    'code' in error ||
    message.includes(folder) ||
    /^(?:IO|Invalid|TProtocolException|Serialization) Error|ZSTD|thrift|corrupt/i.test(message)
  return ofFiles ? changedFile('', firstLine(error).replaceAll(folder, ''), error) : queryFailure(error, hint)
}

/** Maps an error about rows that were read from the source. */
export function restoreFailure(error: unknown, table: string, columns: readonly QueryColumn[]): unknown {
  const message = messageOf(error)
  const known = valueRefusal(message, columns) ?? engineError(error, table)
  if (known instanceof SluiceError) return known
  return new SluiceError('VALUE_REFUSED', `a row of ${table} does not match its archive: ${firstLine(error)}`, {
    reason: /Maximum line size/i.test(message)
      ? `the limit for a row is ${LINE_BYTES / 1024 / 1024} MB`
      : 'a value of the source is not valid for the type of the column in the archive',
    kind: 'source',
    cause: error,
  })
}

/** Error about a source value that the statement reads and the type cannot hold; null for any other error. */
export function unreadValue(error: unknown, table: string, columns: readonly QueryColumn[]): SluiceError | null {
  const found = refused(messageOf(error), columns)
  if (found === null) return null
  const { column, shown } = found
  return new SluiceError(
    'VALUE_REFUSED',
    `${table}.${column.name}: a query cannot read this value as ${column.stored}: ${shown}`,
    {
      where: `${table}.${column.name}`,
      reason: 'the value is in a row of the database that the query reads',
      hint: 'exclude the row with a condition on another column, or select other columns',
      kind: 'source',
    },
  )
}

/** Error for a file that differs from the proved one. @param label of the file; empty if unknown */
export function changedFile(label: string, what: string, cause?: unknown): SluiceError {
  return new SluiceError('PARTITION_CHANGED', `a file of the archive differs from the proved one: ${what}`, {
    ...(label === '' ? {} : { where: label }),
    hint: 'run sluice archive verify to find all damaged files',
    ...(cause === undefined ? {} : { cause }),
  })
}
