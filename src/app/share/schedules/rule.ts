/**
 * Recurrence of a schedule: once in every period of a calendar, at a local time of its zone; or at an interval, counted
 * from midnight UTC. Times are computed here because crontab has neither quarters from April nor time zones
 * (graphile-worker uses UTC).
 */
import type { CalendarSpec } from '../../../model/calendar/calendar.ts'
import { parseDay } from '../../../model/calendar/civil.ts'
import { periodOfNumber, type Period } from '../../../model/calendar/period.ts'
import { dayAt, firstInstant, MS_OF_DAY, zoneWallClock } from '../../../model/calendar/zone.ts'

export type ScheduleRule =
  | {
      readonly every: 'period'
      readonly calendar: CalendarSpec
      /** 1 is the first day of the period, -1 its last. A number beyond the period means its last or first day. */
      readonly day: number
      /** Minutes since midnight, local time. */
      readonly minute: number
    }
  /** `ms`: the interval, which divides a day without remainder. */
  | { readonly every: 'interval'; readonly ms: number }

/** @property period name of the period, which never changes @property at ms since the epoch */
export type Occurrence = { readonly period: string; readonly at: number }

const MS_OF_MINUTE = 60_000

/**
 * Times after `after`, in order, up to the year 9999. If the clocks are put forward over a local time, the instant of
 * that change is used; if a local time occurs twice, the first.
 * @param after ms since the epoch, exclusive
 */
export function* occurrencesAfter(rule: ScheduleRule, after: number): Generator<Occurrence, void> {
  if (rule.every === 'interval') {
    for (let at = (Math.floor(after / rule.ms) + 1) * rule.ms; ; at += rule.ms) yield intervalAt(at)
  }
  const { calendar } = rule
  // Begin with the previous period: its time may be after `after` on its last day, or where a clock is put back.
  const today = dayAt(calendar.zone, after)
  for (
    let period = previousPeriod(calendar, today);
    period !== null;
    period = periodOfNumber(calendar, parseDay(period.to))
  ) {
    const at = instantIn(rule, period)
    if (at > after) yield { period: period.label, at }
  }
}

/** Newest time up to `now`, and the number of times since `since`; null if none. @param since ms, exclusive */
export function newestUntil(
  rule: ScheduleRule,
  since: number,
  now: number,
): {
  readonly newest: Occurrence
  readonly before: Occurrence | null
  readonly first: Occurrence
  readonly count: number
} | null {
  if (rule.every === 'interval') {
    const [from, to] = [Math.floor(since / rule.ms) + 1, Math.floor(now / rule.ms)]
    if (to < from) return null
    const at = (turn: number): Occurrence => intervalAt(turn * rule.ms)
    return { newest: at(to), before: to > from ? at(to - 1) : null, first: at(from), count: to - from + 1 }
  }
  const found: Occurrence[] = []
  for (const one of occurrencesAfter(rule, since)) {
    if (one.at > now) break
    found.push(one)
  }
  const [first, newest] = [found[0], found.at(-1)]
  if (first === undefined || newest === undefined) return null
  return { newest, before: found.at(-2) ?? null, first, count: found.length }
}

function intervalAt(at: number): Occurrence {
  return { period: `${new Date(at).toISOString().slice(0, 16)}Z`, at }
}

/** The period before the period of a day; for the first period, itself. */
function previousPeriod(calendar: CalendarSpec, day: number): Period | null {
  const now = periodOfNumber(calendar, day)
  if (now === null) return null
  return periodOfNumber(calendar, parseDay(now.from) - 1) ?? now
}

function instantIn({ calendar, day, minute }: Extract<ScheduleRule, { every: 'period' }>, period: Period): number {
  const [first, last] = [parseDay(period.from), parseDay(period.to) - 1]
  const meant = day > 0 ? Math.min(first + day - 1, last) : Math.max(last + day + 1, first)
  return localInstant(calendar.zone, meant, minute)
}

/** First instant of a day at or after this local time. @param day number of civil.ts @returns ms since the epoch */
export function localInstant(zone: string, day: number, minute: number): number {
  const [begins, ends] = [firstInstant(zone, day), firstInstant(zone, day + 1)]
  const shown = day * MS_OF_DAY + minute * MS_OF_MINUTE
  const ahead = zoneWallClock(zone, begins) - begins
  // Without a clock change within the day, compute the instant. If the day begins at 1:00, or does not exist, the
  // result for an earlier local time is the start of the day.
  if (zoneWallClock(zone, ends) - ends === ahead) return Math.max(begins, shown - ahead)
  for (let at = begins; at < ends; at += MS_OF_MINUTE) if (zoneWallClock(zone, at) >= shown) return at
  return ends
}
