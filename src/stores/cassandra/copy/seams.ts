/**
 * Static values at the seams of pages. Cassandra 2.0.6 to 2.0.15 and 2.1.0 to 2.1.5 give null for the static columns of every row of a partition that
 * goes on from the page before (CASSANDRA-8502). That is seen by what comes, not by the release: all rows of a partition have the same static values, so
 * what has one at the end of a page and none at the start of the next is asked for again. Servers that are right are asked once, if ever: where the value
 * was removed between two pages.
 */
import type { types } from 'cassandra-driver'

/** The static columns that a statement asks for. */
export type SharedColumns = {
  /** Columns of the partition key. */
  readonly partition: readonly string[]
  /** Names of their values in a row. */
  readonly values: readonly string[]
  /** Names of the seconds that they have left. */
  readonly lives: readonly string[]
  /** The names of their times, too, and of all the above. */
  readonly all: readonly string[]
  /** List of columns that gives all of these. */
  readonly what: string
}

/** Rows that came together, and when they were asked for: whole seconds by the clock of this program, as servers count lives. */
export type DriverPage = { readonly rows: readonly types.Row[]; readonly readMs: number }

/**
 * Gives rows that go on with a partition its static values where the server has left them out.
 * @param last row of the page before, with its static values
 * @param rows of a page; the first of them are changed
 * @param ask reads the static columns of one partition, by its key
 * @throws what `ask` throws
 */
export async function mendSeam(
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
  // The partition was removed meanwhile.
  if (shared === undefined) return
  const later = Math.round((found.readMs - readMs) / 1000)
  for (const row of rows) {
    if (!isSamePartition(row)) return
    for (const name of columns.all) {
      const value: unknown = shared[name]
      row[name] = columns.lives.includes(name) ? leftFrom(value, later) : value
    }
  }
}

/** A life as it was some seconds before. */
function leftFrom(life: unknown, seconds: number): unknown {
  if (typeof life === 'number') return life + seconds
  return Array.isArray(life) ? life.map((one: unknown) => leftFrom(one, seconds)) : life
}

/** Now, in milliseconds, as a server knows it when it tells how many seconds a value has left. */
export function wholeSecond(ms: number): number {
  return Math.floor(ms / 1000) * 1000
}
