/** Nesting limit of JSON for recursive code. */

/** Enough for a schema of some hundred type levels, each of which is three levels of JSON. */
export const MOST_NESTED_SCHEMA = 1600

/** True if objects and lists are nested more than `limit` deep. @param value from JSON.parse */
export function isNestedDeeper(value: unknown, room = MOST_NESTED_SCHEMA): boolean {
  if (typeof value !== 'object' || value === null) return false
  return room === 0 || Object.values(value).some((one) => isNestedDeeper(one, room - 1))
}
