import type { Range } from '../../model/copy/range.ts'

/**
 * Splits a list of keys into lists that fit one statement each; other ranges are returned unchanged.
 * @param keyColumns columns of one key
 * @param most comparisons per statement
 */
export function keyListParts(range: Range, keyColumns: number, most: number): readonly Range[] {
  if (range.by !== 'keys') return [range]
  const atOnce = Math.max(1, Math.floor(most / Math.max(1, keyColumns)))
  const parts: Range[] = []
  for (let at = 0; at < range.keys.length; at += atOnce) {
    parts.push({ by: 'keys', keys: range.keys.slice(at, at + atOnce) })
  }
  return parts
}
