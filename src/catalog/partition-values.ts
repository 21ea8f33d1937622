/** Partitions as the catalog tells them apart. Writers put the keys of `partitionValues` in any order, and '' is NULL (PROTOCOL.md, "Partition Value Serialization"). */
import { keyHash } from '../shared/hash.ts'

/** The one text of a partition. @param text of its values: a JSON object of texts and nulls */
export function canonicalValues(text: string): string {
  const entries = Object.entries(JSON.parse(text) as Readonly<Record<string, string | null>>)
  const sorted = entries.toSorted(([a], [b]) => (a < b ? -1 : 1))
  return `{${sorted.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value === '' ? null : value)}`).join(',')}}`
}

/** The `values_hash` of a partition. @param values as `canonicalValues` gives them; older programs took the text of the log */
export function valuesHash(values: string): number {
  return keyHash(values, null)
}
