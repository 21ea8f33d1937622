/** Values of archived files, as a statement sees them. */
import { columnIn, type FileColumn, type QueryColumn } from '../../../model/archive/query-port.ts'
import { quotedName } from '../../../shared/sql-text.ts'
import { isDecimal, nativeOf } from '../archive/columns.ts'

/**
 * The values of a column in files that have these columns, in the type that the column has now, as SQL. NULL where they have none. A condition on a floating point
 * number is not handed to the Parquet reader: its Bloom filters keep 0 and -0 apart, which are equal, and so are all NaN.
 */
export function valueIn(files: readonly FileColumn[], column: QueryColumn): string {
  const { stored } = column
  const found = columnIn(files, column)
  const native = nativeOf(stored)
  if (found === undefined) return `CAST(NULL AS ${native})`
  const value = castOf(found, stored, native)
  return stored === 'float' || stored === 'double' ? `-(-${value})` : value
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
