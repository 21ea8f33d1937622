/**
 * Static values at page boundaries. Cassandra 2.0.6 to 2.0.15 and 2.1.0 to 2.1.5 return null for the static columns of
 * every row of a partition that continues from the previous page (CASSANDRA-8502). This fault is detected by the data,
 * not by the release: all rows of a partition have the same static values. So a partition with a static value at the
 * end of a page, and none at the start of the next, is read again. With correct servers this happens only if the value
 * was removed between two pages.
 */
import type { types } from 'cassandra-driver'

/** The static columns that a statement reads. */
export type SharedColumns = {
  /** Columns of the partition key. */
  readonly partition: readonly string[]
  /** Names of their values in a row. */
  readonly values: readonly string[]
  /** Names of their TTLs. */
  readonly lifetimes: readonly string[]
  /** The names of values, write times and TTLs. */
  readonly all: readonly string[]
  /** The select list of the static columns: their values, write times and TTLs. */
  readonly what: string
}

/** Rows of one page, and when they were requested: whole seconds by this program's clock, as servers count TTLs. */
export type DriverPage = { readonly rows: readonly types.Row[]; readonly readMs: number }

/**
 * Fills in the static values that the server left out of rows that continue a partition.
 * @param last row of the previous page, with its static values
 * @param rows of a page; the first of them are changed
 * @param ask reads the static columns of one partition, by its key
 * @throws what `ask` throws
 */
export async function repairSeam(
  columns: SharedColumns,
  last: types.Row,
  { rows, readMs }: DriverPage,
  isSamePartition: (row: types.Row) => boolean,
  ask: (partition: readonly unknown[]) => Promise<DriverPage>,
): Promise<void> {
  const [first] = rows
  if (first === undefined || !isSamePartition(first)) return
  if (!columns.values.some((name) => last[name] != null && first[name] == null)) return
  const found = await ask(columns.partition.map((name) => first[name] as unknown))
  const [shared] = found.rows
  // The partition was removed after the page was read.
  if (shared === undefined) return
  const later = Math.round((found.readMs - readMs) / 1000)
  for (const row of rows) {
    if (!isSamePartition(row)) return
    for (const name of columns.all) {
      const value: unknown = shared[name]
      row[name] = columns.lifetimes.includes(name) ? leftFrom(value, later) : value
    }
  }
}

/** Converts a remaining TTL to its value this many seconds earlier. */
function leftFrom(life: unknown, seconds: number): unknown {
  if (typeof life === 'number') return life + seconds
  return Array.isArray(life) ? life.map((one: unknown) => leftFrom(one, seconds)) : life
}

/** The time in milliseconds, cut to whole seconds, as a server does when it computes a TTL. */
export function wholeSecond(ms: number): number {
  return Math.floor(ms / 1000) * 1000
}
