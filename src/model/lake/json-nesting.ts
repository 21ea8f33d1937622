/** How deep JSON may be nested for those who follow it on their stack. */

/** Deep enough for a schema with types of some hundred levels, each of which is three levels of JSON. */
export const MOST_NESTED = 1600

/** Whether objects and lists lie in each other more than `room` deep. @param value what JSON.parse makes */
export function isNestedDeeper(value: unknown, room = MOST_NESTED): boolean {
  if (typeof value !== 'object' || value === null) return false
  return room === 0 || Object.values(value).some((one) => isNestedDeeper(one, room - 1))
}
