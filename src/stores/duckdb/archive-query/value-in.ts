/** Values of archived files, as a statement sees them. */
import { columnIn, type FileColumn, type QueryColumn } from '../../../model/archiving/query-port.ts'
import { quotedName } from '../../../shared/sql-text.ts'
import { isDecimal, nativeOf } from '../archiving/columns.ts'

/** The values of a column in files that have these columns, in the type that the column has now, as SQL. NULL where they have none. */
export function valueIn(files: readonly FileColumn[], column: QueryColumn): string {
  const found = columnIn(files, column)
  const native = nativeOf(column.stored)
  return found === undefined ? `CAST(NULL AS ${native})` : castOf(found, column.stored, native)
}

function castOf({ physical, stored }: FileColumn, now: QueryColumn['stored'], native: string): string {
  const name = quotedName(physical)
  if (!isDecimal(stored)) return `CAST(${name} AS ${native})`
  const text = `CAST(${name} AS VARCHAR)`
  // A division would round a second time.
  if (now === 'double' || now === 'float') return `CAST(${text} AS ${native})`
  // DuckDB leaves the zero before the point out where all digits stand behind it.
  return now === 'string' ? String.raw`regexp_replace(${text}, '^(-?)\.', '\10.')` : `CAST(${name} AS ${native})`
}
