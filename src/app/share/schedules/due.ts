/** Determines which period of a schedule runs now, and which are skipped. */
import type { CatchUp } from '../../../model/share/schedule.ts'
import { newestUntil, occurrencesAfter, type Occurrence, type ScheduleRule } from './rule.ts'

/** A schedule without catch-up (`none`) still runs a missed time for this long, ms; later it skips the time. */
export const LATE_MS = 3_600_000
/** Maximum number of missed times that run if all are caught up (`all`); older ones are skipped. */
export const MOST_CAUGHT_UP = 100

/** A series of skipped times: the first, the last, and their number. */
export type SkippedTimes = { readonly first: Occurrence; readonly last: Occurrence; readonly count: number }

export type Due = {
  /** The time to run now; null if all due times are skipped. */
  readonly run: Occurrence | null
  /** Times that are skipped; null if there are none. */
  readonly passed: SkippedTimes | null
  /** Times up to here are handled, ms since the epoch. */
  readonly since: number
}

/**
 * @param since times up to this one are handled, ms since the epoch
 * @returns null if nothing is due
 */
export function dueOf(rule: ScheduleRule, catchUp: CatchUp, since: number, now: number): Due | null {
  const found = newestUntil(rule, since, now)
  if (found === null) return null
  const { newest, before, first, count } = found
  if (catchUp === 'all') return oldest(rule, since, count, first)
  if (catchUp === 'none' && now - newest.at > LATE_MS)
    return { run: null, passed: { first, last: newest, count }, since: newest.at }
  const passed = before === null ? null : { first, last: before, count: count - 1 }
  return { run: newest, passed, since: newest.at }
}

function oldest(rule: ScheduleRule, since: number, count: number, first: Occurrence): Due {
  const surplus = count - MOST_CAUGHT_UP
  if (surplus <= 0) return { run: first, passed: null, since: first.at }
  let last = first
  let passed = 0
  for (last of occurrencesAfter(rule, since)) {
    passed += 1
    if (passed === surplus) break
  }
  return { run: null, passed: { first, last, count: surplus }, since: last.at }
}
