/** A value that its source holds and no archive does: said with its column, and the flag that stores it all the same. */
import type { StoredColumn } from '../../model/archiving/stored-column.ts'
import { SluiceError } from '../../shared/errors.ts'
import { shellQuote } from '../../shared/shell.ts'

/** The error of an export, by the column that a store names in `where`; what names none stays as it is. */
export function refusedValueOf(thrown: unknown, columns: readonly StoredColumn[]): unknown {
  if (!(thrown instanceof SluiceError) || thrown.code !== 'VALUE_REFUSED') return thrown
  const { where = '', message, hint = '', reason, kind } = thrown
  if (hint.includes('--as-text')) return thrown
  // Stores quote names in their own way.
  const column = columns.find(({ name }) =>
    ['`', '"'].some((quote) => where.includes(`column ${quote}${name}${quote}`)),
  )
  if (column === undefined || column.as.kind === 'native') return thrown
  return new SluiceError('VALUE_REFUSED', `${column.name}: ${message}`, {
    where,
    kind,
    ...(reason === undefined ? {} : { reason }),
    hint: `mend the value at its source, or store the text of the column with --as-text ${shellQuote(column.name)}`,
    cause: thrown,
  })
}
