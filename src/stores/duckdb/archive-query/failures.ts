/** What goes wrong with rows of the source, with files, and with the statement itself, told apart. */
import type { QueryColumn } from '../../../model/archive/query-port.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { refusal, refused } from '../archive/wire-cast.ts'
import { engineError, firstLine, messageOf } from '../errors.ts'
import { LINE_BYTES } from './read-csv.ts'
import { queryFailure } from './statement.ts'

/** Said by a column that was not brought, in case somebody looks at it all the same. */
export const NOT_BROUGHT = 'sluice has not brought the column'

/** What goes wrong with a statement that was planned without a complaint may be the files' fault. */
export function answerFailure(error: unknown, folder: string, hint: string): unknown {
  if (error instanceof SluiceError || !(error instanceof Error)) return queryFailure(error, hint)
  const { message } = error
  if (message.includes(NOT_BROUGHT)) return new SluiceError('INTERNAL', message, { cause: error })
  const ofFiles =
    'code' in error ||
    message.includes(folder) ||
    /^(?:IO|Invalid|TProtocolException|Serialization) Error|ZSTD|thrift|corrupt/i.test(message)
  return ofFiles ? changed('', firstLine(error).replaceAll(folder, ''), error) : queryFailure(error, hint)
}

/** Of rows on their way from the source. */
export function bringFailure(error: unknown, table: string, columns: readonly QueryColumn[]): unknown {
  const message = messageOf(error)
  const known = refusal(message, columns) ?? engineError(error, table)
  if (known instanceof SluiceError) return known
  return new SluiceError('VALUE_REFUSED', `a row of ${table} does not fit its archive: ${firstLine(error)}`, {
    reason: /Maximum line size/i.test(message)
      ? `rows of more than ${LINE_BYTES / 1024 / 1024} MB are not brought over`
      : 'a value of the source is none of the type that its archive has for the column',
    kind: 'source',
    cause: error,
  })
}

/** Of a value of the source that the statement reads and its type does not hold; null for every other error. */
export function unreadValue(error: unknown, table: string, columns: readonly QueryColumn[]): SluiceError | null {
  const found = refused(messageOf(error), columns)
  if (found === null) return null
  const { column, shown } = found
  return new SluiceError(
    'VALUE_REFUSED',
    `${table}.${column.name}: a query cannot read this value as ${column.stored}: ${shown}`,
    {
      where: `${table}.${column.name}`,
      reason: 'a row of the database has it, and the query reads that row',
      hint: 'leave the row out with a condition on another column, or read other columns',
      kind: 'source',
    },
  )
}

/** @param label of a file; empty where it is not known which */
export function changed(label: string, what: string, cause?: unknown): SluiceError {
  return new SluiceError('PARTITION_CHANGED', `a file of the archive is not what was proved: ${what}`, {
    ...(label === '' ? {} : { where: label }),
    hint: 'sluice archive verify says what else is wrong',
    ...(cause === undefined ? {} : { cause }),
  })
}
