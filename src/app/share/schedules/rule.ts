/**
 * When work comes again: with every period of a calendar, at a time of the clock on the wall of its zone, or after so long a time, counted from midnight UTC.
 * A crontab has neither quarters that begin in April nor a zone of its own (graphile-worker reads its own in UTC), so times are found here.
 */
import type { CalendarSpec } from '../../../model/calendar/calendar.ts'
import { parseDay } from '../../../model/calendar/civil.ts'
import { periodOfNumber, type Period } from '../../../model/calendar/period.ts'
import { dayAt, firstMoment, MS_OF_DAY, wallClock } from '../../../model/calendar/zone.ts'

export type ScheduleRule =
  | {
      readonly every: 'period'
      readonly calendar: CalendarSpec
      /** 1 is the first day of the period, -1 its last; beyond its other end it is that end. */
      readonly day: number
      /** Minutes since midnight, by the clock on the wall. */
      readonly minute: number
    }
  /** A day holds it a whole number of times. */
  | { readonly every: 'interval'; readonly ms: number }

/** @property period its name, the same for ever @property at ms since the epoch */
export type Occurrence = { readonly period: string; readonly at: number }

const MS_OF_MINUTE = 60_000

/**
 * Times after a moment, in order; they end with the year 9999.
 * A time that a zone leaves out (its clocks are put forward over it) comes when they are; of one that it shows twice the first counts.
 * @param after ms since the epoch; a time at that moment is not among them
 */
export function* occurrencesAfter(rule: ScheduleRule, after: number): Generator<Occurrence, void> {
  if (rule.every === 'interval') {
    for (let at = (Math.floor(after / rule.ms) + 1) * rule.ms; ; at += rule.ms) yield intervalAt(at)
  }
  const { calendar } = rule
  // The time of the period before may lie behind the moment: on its last day, or in a zone whose clock is put back.
  const today = dayAt(calendar.zone, after)
  for (let period = before(calendar, today); period !== null; period = periodOfNumber(calendar, parseDay(period.to))) {
    const at = momentIn(rule, period)
    if (at > after) yield { period: period.label, at }
  }
}

/** The newest time up to a moment, and how many there are between the two; null where there is none. @param since ms; not among them */
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

/** The period before that of a day, or the first there is. */
function before(calendar: CalendarSpec, day: number): Period | null {
  const now = periodOfNumber(calendar, day)
  if (now === null) return null
  return periodOfNumber(calendar, parseDay(now.from) - 1) ?? now
}

function momentIn({ calendar, day, minute }: Extract<ScheduleRule, { every: 'period' }>, period: Period): number {
  const [first, last] = [parseDay(period.from), parseDay(period.to) - 1]
  const meant = day > 0 ? Math.min(first + day - 1, last) : Math.max(last + day + 1, first)
  return momentOf(calendar.zone, meant, minute)
}

/** The first moment of a day at which the clock on the wall shows a time, or a later one. @param day number of civil.ts @returns ms since the epoch */
export function momentOf(zone: string, day: number, minute: number): number {
  const [begins, ends] = [firstMoment(zone, day), firstMoment(zone, day + 1)]
  const shown = day * MS_OF_DAY + minute * MS_OF_MINUTE
  const ahead = wallClock(zone, begins) - begins
  // So it is on all but two days a year; a day that begins at 1:00, or that is left out, has its times from then on.
  if (wallClock(zone, ends) - ends === ahead) return Math.max(begins, shown - ahead)
  for (let at = begins; at < ends; at += MS_OF_MINUTE) if (wallClock(zone, at) >= shown) return at
  return ends
}
