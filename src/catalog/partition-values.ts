/**
 * Canonical form of `partitionValues`: writers order them freely, and '' is NULL (PROTOCOL.md, "Partition Value
 * Serialization").
 */
import { keyHash } from '../shared/hash.ts'

/** The same text for all spellings of a partition. @param text its values: a JSON object of texts and nulls */
export function canonicalValues(text: string): string {
  const entries = Object.entries(JSON.parse(text) as Readonly<Record<string, string | null>>)
  const sorted = entries.toSorted(([a], [b]) => (a < b ? -1 : 1))
  return `{${sorted.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value === '' ? null : value)}`).join(',')}}`
}

/** The `values_hash` of a partition. @param values result of `canonicalValues`; older programs hashed the log's text */
export function valuesHash(values: string): number {
  return keyHash(values, null)
}
