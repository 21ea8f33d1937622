/** Names of columns in Parquet files. */

/** PROTOCOL.md, "Column Mapping": what names in Parquet files may not hold unless they are mapped. */
const FORBIDDEN = /[ ,;{}()\n\t=]/
const PARTITION = 'sluice_partition'

/**
 * The names themselves where Parquet and every reader take all of them, else numbered ones for all.
 * Readers tell names apart without regard to case.
 */
export function physicalNames(names: readonly string[]): {
  readonly physical: readonly string[]
  readonly mapped: boolean
} {
  const apart = new Set(names.map(folded))
  const mapped = apart.size < names.length || names.some((name) => name === '' || FORBIDDEN.test(name))
  return { physical: mapped ? names.map((_, i) => `col-${i + 1}`) : names, mapped }
}

/** Whether files can have a column of this name beside others. @param taken names in lower case */
export function isFreeName(name: string, taken: ReadonlySet<string>): boolean {
  return name !== '' && !FORBIDDEN.test(name) && !taken.has(folded(name))
}

/** A name for the column of partitions that no column of the source has. */
export function partitionColumnBeside(names: readonly string[]): string {
  const taken = new Set(names.map(folded))
  let name = PARTITION
  for (let i = 2; taken.has(name); i++) name = `${PARTITION}_${i}`
  return name
}

export function folded(name: string): string {
  return name.toLowerCase()
}
