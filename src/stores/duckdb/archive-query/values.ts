/** Reads archived files in DuckDB: distinct column names, and values in the current type of each column. */
import { withWholeDigit } from '../decimal-text.ts'
import { columnIn, type FileColumn, type QueryColumn } from '../../../model/archive/query-port.ts'
import { quotedName } from '../../../shared/sql-text.ts'
import { isDecimal, nativeOf } from '../archive/columns.ts'

/**
 * Distinct column names for DuckDB, where `A` and `a` are one name. Each name of such a group gets a number, since any
 * of them would match the others.
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

/** Sentence about renamed columns that differ only in case; empty if there are none. */
export function casesText(names: readonly string[], distinct: readonly string[]): string {
  const renamed = names.flatMap((name, i) => (name === distinct[i] ? [] : [`"${name}" is ${distinct[i]}`]))
  return renamed.length === 0 ? '' : `; DuckDB ignores case in names: ${renamed.join(', ')}`
}

/**
 * SQL for the values of a column in files with these columns, in its current type; NULL if they lack it. Floating point
 * values are read as `-(-x)`, so that DuckDB passes no condition on them to the Parquet reader. Its Bloom filters
 * compare bits: they would miss equal values with other bits, such as -0 for 0, or another NaN.
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
  // Casts the text, because a direct cast of a decimal divides by a power of ten, and rounds a second time.
  if (now === 'double' || now === 'float') return `CAST(${text} AS ${native})`
  return now === 'string' ? withWholeDigit(text) : `CAST(${name} AS ${native})`
}
