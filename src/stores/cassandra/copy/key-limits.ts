/** Limits of the cluster for keys, besides the types of their columns. */

/** Maximum number of bytes of a partition key, and of a clustering key. */
const MOST_KEY_BYTES = 65_535

/**
 * Why the cluster cannot hold these values as a whole partition key or clustering key; null if it can. NULLs are not
 * checked.
 */
export function keyLimitError(part: 'partition' | 'clustering', values: readonly (Buffer | null)[]): string | null {
  if (part === 'partition' && values.length === 1 && values[0]?.length === 0) return 'a partition key cannot be empty'
  const more = part === 'clustering' || values.length > 1 ? 3 : 0
  const bytes = values.reduce((sum, value) => sum + (value === null ? 0 : value.length + more), 0)
  return bytes > MOST_KEY_BYTES ? `a ${part} key can have ${MOST_KEY_BYTES} bytes, not ${bytes}` : null
}
