/** Counts the rows of periods of a table, in SQL common to PostgreSQL, MySQL and SQLite. */

/** Maximum number of conditions of one statement. */
export const PERIODS_AT_ONCE = 100

/** SQL condition that is true if any of the conditions holds. */
export function anyOf(conditions: readonly string[]): string {
  return conditions.map((condition) => `(${condition})`).join(' OR ')
}

/**
 * Query for one row with a count per condition, each by its own lookup.
 * @param from table SQL
 * @param text SQL that converts a count to text
 */
export function countsByIndex(
  from: string,
  conditions: readonly string[],
  text: (count: string) => string = (count) => count,
): string {
  return `SELECT ${conditions.map((one) => `(SELECT ${text('count(*)')} FROM ${from} WHERE ${one})`).join(', ')}`
}

/** Query for pairs of index in `conditions` and count; conditions without rows are left out. Reads the table once. */
export function countsByScan(
  from: string,
  conditions: readonly string[],
  text: (count: string) => string = (count) => count,
  within = '',
): string {
  const place = conditions.map((one, i) => `WHEN ${one} THEN ${i}`).join(' ')
  const rows = `SELECT CASE ${place} END AS place FROM ${from}${within === '' ? '' : ` WHERE ${within}`}`
  return `SELECT ${text('place')}, ${text('count(*)')} FROM (${rows}) AS placed WHERE place IS NOT NULL GROUP BY place`
}

/** One count per condition, in their order, from the rows of `countsByScan`; 0 for conditions without rows. */
export function placedCounts(size: number, rows: readonly (readonly unknown[])[]): bigint[] {
  const counts = Array.from({ length: size }, () => 0n)
  for (const [place, count] of rows) {
    const at = Number(place)
    counts[at] = (counts[at] ?? 0n) + BigInt(String(count))
  }
  return counts
}
