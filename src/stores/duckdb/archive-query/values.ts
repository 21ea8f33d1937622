/** Columns and values of archived files, as DuckDB can tell them apart and compare them. */
import { withWholeDigit } from '../decimal-text.ts'
import { columnIn, type FileColumn, type QueryColumn } from '../../../model/archive/query-port.ts'
import { quotedName } from '../../../shared/sql-text.ts'
import { isDecimal, nativeOf } from '../archive/columns.ts'

/**
 * Names of columns under which DuckDB can tell them apart: it takes `A` and `a` for one name. Each name of such a group
 * gets a number, since any of them would answer for the others.
 */
export function distinctNames(names: readonly string[]): readonly string[] {
  const folded = names.map((name) => name.toLowerCase())
  const isAlone = (i: number): boolean => folded.indexOf(folded[i] ?? '') === folded.lastIndexOf(folded[i] ?? '')
  const taken = new Set(folded)
  return names.map((name, i) => {
    if (isAlone(i)) return name
    let free = name
    for (let n = 1; taken.has(free.toLowerCase()); n++) free = `${name}_${n}`
    taken.add(free.toLowerCase())
    return free
  })
}

/** What names that differ by case alone are called, as a sentence for people; empty where there are none. */
export function casesText(names: readonly string[], distinct: readonly string[]): string {
  const renamed = names.flatMap((name, i) => (name === distinct[i] ? [] : [`"${name}" is ${distinct[i]}`]))
  return renamed.length === 0 ? '' : `; DuckDB does not tell capital letters: ${renamed.join(', ')}`
}

/**
 * Values of archived files, as a statement sees them. The values of a column in files that have these columns, in the
 * type that the column has now, as SQL. NULL where they have none. A condition on a floating point number is not handed
 * to the Parquet reader: its Bloom filters keep 0 and -0 apart, which are equal, and so are all NaN.
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
  return now === 'string' ? withWholeDigit(text) : `CAST(${name} AS ${native})`
}
