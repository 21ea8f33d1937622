/** Errors for a value that an archive cannot store: with the column, and the flag that stores its text. */
import type { ColumnType } from '../../model/copy/column-type.ts'
import type { StoredColumn } from '../../model/archive/stored-column.ts'
import { SluiceError } from '../../shared/errors.ts'
import { shellQuote } from '../../shared/shell.ts'
import { quotedName } from '../../shared/sql-text.ts'

/**
 * VALUE_REFUSED of an export, with the column from the `where` of the store's error; unchanged if it has no column.
 * @param by the column that decides the partition of a row: it cannot be stored as text
 */
export function refusedValueOf(thrown: SluiceError, columns: readonly StoredColumn[], by: string | null): SluiceError {
  const { where = '', message, hint = '', reason, kind } = thrown
  const bytes = hint.includes('the type BLOB')
    ? columns.find(({ name }) => where.includes(`.${name}, row `))
    : undefined
  // Invalid text cannot be stored as text; it can be stored as bytes.
  if (bytes !== undefined) return noText(thrown, bytes)
  if (hint.includes('a type for bytes')) return thrown
  const column = columns.find(({ name, as }) => where === name || isNamed(where, name, as))
  if (column === undefined) return thrown
  const { name } = column
  const asText = name === by ? '' : `, or store the text of the column with --as-text ${shellQuote(name)}`
  return new SluiceError('VALUE_REFUSED', where === name ? message : `${name}: ${message}`, {
    where,
    kind,
    reason,
    hint: `correct the value at the source${asText}; archive plan with the same options and --exact names columns with such values`,
    cause: thrown,
  })
}

/**
 * True if `where` names the column; stores do this in different forms. False for a column that is already archived as
 * printed text, because `--as-text` cannot help there. It can help in SQLite, which does not enforce column types.
 */
function isNamed(where: string, name: string, as: ColumnType): boolean {
  if (where.includes(`.${name}, row `)) return as.kind !== 'native' || as.name !== 'any'
  return as.kind !== 'native' && ['`', '"'].some((quote) => where.includes(`column ${quote}${name}${quote}`))
}

function noText(thrown: SluiceError, { name }: StoredColumn): SluiceError {
  const { where = '', message, reason, kind } = thrown
  const column = quotedName(name)
  return new SluiceError('VALUE_REFUSED', `${name}: ${message}`, {
    where,
    kind,
    reason,
    hint: `correct the value at the source, or change it to bytes (SET ${column} = CAST(${column} AS BLOB) in that row) and store the column with --as-text ${shellQuote(name)}`,
    cause: thrown,
  })
}
