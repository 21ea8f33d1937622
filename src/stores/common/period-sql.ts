/** Statements that count the rows of periods of a table, in the SQL that PostgreSQL, MySQL and SQLite have in common. */

/** Most conditions of one statement. */
export const PERIODS_AT_ONCE = 100

/** Whether any of some conditions holds. */
export function anyOf(conditions: readonly string[]): string {
  return conditions.map((condition) => `(${condition})`).join(' OR ')
}

/** One row, one count for each condition: each is looked up by itself. @param from the table in SQL @param text makes a text of a count */
export function countsByIndex(
  from: string,
  conditions: readonly string[],
  text: (count: string) => string = (count) => count,
): string {
  return `SELECT ${conditions.map((one) => `(SELECT ${text('count(*)')} FROM ${from} WHERE ${one})`).join(', ')}`
}

/** Rows of a place in `conditions` and its count, of those that hold for any row: the table is read once. */
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

/** Counts by place of what `countsByScan` gives. */
export function placedCounts(size: number, rows: readonly (readonly unknown[])[]): bigint[] {
  const counts = Array.from({ length: size }, () => 0n)
  for (const [place, count] of rows) {
    const at = Number(place)
    counts[at] = (counts[at] ?? 0n) + BigInt(String(count))
  }
  return counts
}
