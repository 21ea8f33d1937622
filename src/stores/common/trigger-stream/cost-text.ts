/** Reports how much triggers slow down writers: selects the tables to measure, and formats the results. */
import type { FollowedTable } from '../../../model/follow/port.ts'
import { throwIfAborted } from '../../../shared/abort.ts'

/** Maximum number of measured tables, the largest first. */
const MOST_TABLES = 8

/** @returns a line for each measured table, and one for all that were not measured */
export async function costLines(
  tables: readonly FollowedTable[],
  signal: AbortSignal,
  costOf: (table: FollowedTable) => Promise<string>,
): Promise<readonly string[]> {
  const largest = [...tables].toSorted((a, b) => Number(b.table.rows - a.table.rows))
  const lines: string[] = []
  for (const one of largest.slice(0, MOST_TABLES)) {
    throwIfAborted(signal)
    lines.push(await costOf(one))
  }
  const more = largest.length - MOST_TABLES
  return more > 0 ? [...lines, `the cost of triggers on ${more} smaller tables was not measured`] : lines
}

/** Text for a table without rows. */
export function emptyText(name: string): string {
  return `${name} has no rows, so the cost of triggers for writers was not measured`
}

/** Text for a table whose measurement failed. */
export function unmeasuredText(name: string, error: unknown): string {
  const reason = error instanceof Error ? error.message : String(error)
  return `the cost of triggers on ${name} for writers could not be measured: ${reason}`
}

/** The upper median; 0 if there are no times. */
export function medianOf(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0
}

/**
 * Text on the time of a write with triggers. If the measured time is not longer than without triggers, the text only
 * reports that the measured times vary by more than the triggers cost.
 * @param what singular or plural, for the text
 * @param without time of a write without triggers @param noted time of a write with triggers
 * @param text formats a time
 */
export function costText(
  what: 'trigger' | 'triggers',
  without: number,
  noted: number,
  text: (time: number) => string,
): string {
  return noted > without
    ? `with the ${what} ${text(noted)}`
    : `and the ${what} add${what === 'trigger' ? 's' : ''} less than the variation of the measured times (${text(noted)} with the ${what})`
}
