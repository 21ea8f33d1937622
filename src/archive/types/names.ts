/** Names of columns in Parquet files. */

/** Characters that names in Parquet files must not contain without column mapping (PROTOCOL.md, "Column Mapping"). */
const FORBIDDEN = /[ ,;{}()\n\t=]/
const PARTITION = 'sluice_partition'

/**
 * The names themselves if Parquet and all readers accept all of them, otherwise `col-1`, `col-2` … Two names that
 * differ only in case are not accepted.
 */
export function physicalNames(names: readonly string[]): {
  readonly physical: readonly string[]
  readonly mapped: boolean
} {
  const apart = new Set(names.map(folded))
  const mapped = apart.size < names.length || names.some((name) => name === '' || FORBIDDEN.test(name))
  return { physical: mapped ? names.map((_, i) => `col-${i + 1}`) : names, mapped }
}

/** True if a column with this name can be added to the files. @param taken names in use, in lower case */
export function isFreeName(name: string, taken: ReadonlySet<string>): boolean {
  return name !== '' && !FORBIDDEN.test(name) && !taken.has(folded(name))
}

/** A name for the partition column that no column of the source has. */
export function partitionColumnName(names: readonly string[]): string {
  const taken = new Set(names.map(folded))
  let name = PARTITION
  for (let i = 2; taken.has(name); i++) name = `${PARTITION}_${i}`
  return name
}

/** Form of a name for comparisons that ignore case. */
export function folded(name: string): string {
  return name.toLowerCase()
}
