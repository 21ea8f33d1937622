/** What of a schedule is due: which period it runs for, and which it passes over. */
import type { CatchUp } from '../../../model/share/schedule.ts'
import { newestUntil, occurrencesAfter, type Occurrence, type ScheduleRule } from './rule.ts'

/** With `none`, what is later than this does not run any more. */
export const LATE_MS = 3_600_000
/** With `all`, so many are caught up with at most; older ones are passed over. */
export const MOST_CAUGHT_UP = 100

/** Times that nothing runs for. */
export type PassedOver = { readonly first: Occurrence; readonly last: Occurrence; readonly count: number }

export type Due = {
  /** What it runs for now. */
  readonly run: Occurrence | null
  readonly passed: PassedOver | null
  /** Up to here all is dealt with, ms since the epoch. */
  readonly since: number
}

/**
 * @param since times up to it are dealt with, ms since the epoch
 * @returns null where nothing is due
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
