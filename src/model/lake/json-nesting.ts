/** Nesting limit of JSON for recursive code. */

/** Enough for a schema of some hundred type levels, each of which is three levels of JSON. */
export const MOST_NESTED_SCHEMA = 1600

/** True if objects and lists are nested more than `limit` deep. @param value from JSON.parse */
export function isNestedDeeper(value: unknown, limit = MOST_NESTED_SCHEMA): boolean {
  if (typeof value !== 'object' || value === null) return false
  return limit === 0 || Object.values(value).some((one) => isNestedDeeper(one, limit - 1))
}
