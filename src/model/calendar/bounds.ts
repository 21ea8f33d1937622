/** Converts periods to bounds for a column, and bounds back to periods. */
import type { CalendarSpec } from './calendar.ts'
import { LAST_DAY, parseDay } from './civil.ts'
import { periodOfNumber, type Period } from './period.ts'
import { isInstant, readValue, valueText, type ValueKind } from './value-text.ts'
import { dayAt, firstInstant, MS_OF_DAY, zoneWallClock } from './zone.ts'

/** Largest JavaScript date, in milliseconds. */
const LAST_DATE_MS = 8.64e15

/** `from` inclusive, `to` exclusive. */
export type PeriodBounds = { readonly from: string; readonly to: string }

/**
 * Bounds of a period as values of the column. A date stays as it is; a local timestamp is at midnight; an instant is
 * the start of the day in the calendar's zone, in UTC (`2024-03-31 22:00:00+00`) or as a number since the epoch. Both
 * bounds are equal for a day that the zone skipped. The upper bound of a period equals, byte by byte, the lower bound
 * of the next period.
 */
export function boundsFor(spec: CalendarSpec, period: Period, kind: ValueKind): PeriodBounds {
  return { from: boundOf(spec, period.from, kind), to: boundOf(spec, period.to, kind) }
}

/**
 * The period of a native partition; null if its bounds are open or are not the bounds of one period. If midnight
 * occurs twice, both are accepted: for a date without an offset, databases use the later one, `boundsFor` the earlier.
 * @param from texts as PostgreSQL prints them in ISO style: `2024-04-01`, `2024-04-01 00:00:00`, `2024-04-01
 * 00:00:00+02`
 */
export function periodOfBounds(
  spec: CalendarSpec,
  from: string | null,
  to: string | null,
  kind: ValueKind,
): Period | null {
  const [low, high] = [exactValue(from, kind), exactValue(to, kind)]
  if (low === null || high === null) return null
  const day = Math.floor((isInstant(kind) ? zoneWallClock(spec.zone, low) : low) / MS_OF_DAY)
  const period = periodOfNumber(spec, day)
  return period !== null && isDayStart(spec, period.from, low, kind) && isDayStart(spec, period.to, high, kind)
    ? period
    : null
}

/** True if each bound is the start of a day in the zone; false for an open bound. */
export function allBeginDays(bounds: readonly (string | null)[], kind: ValueKind, zone: string): boolean {
  return bounds.every((bound) => {
    const at = bound === null ? undefined : readValue(bound, kind)?.at
    if (at === undefined || Math.abs(at) > LAST_DAY * MS_OF_DAY) return false
    return zoneWallClock(zone, at) % MS_OF_DAY === 0 || firstInstant(zone, dayAt(zone, at)) === at
  })
}

function boundOf(spec: CalendarSpec, day: string, kind: ValueKind): string {
  const number = parseDay(day)
  return valueText(isInstant(kind) ? firstInstant(spec.zone, number) : number * MS_OF_DAY, kind)
}

/** True if a value is the beginning of a day; if midnight occurs twice, both are accepted. @param day `2024-04-01` */
export function isDayStart(spec: Pick<CalendarSpec, 'zone'>, day: string, at: number, kind: ValueKind): boolean {
  const number = parseDay(day)
  if (!isInstant(kind)) return at === number * MS_OF_DAY
  return zoneWallClock(spec.zone, at) === number * MS_OF_DAY || at === firstInstant(spec.zone, number)
}

function exactValue(text: string | null, kind: ValueKind): number | null {
  const value = text === null ? null : readValue(text, kind)
  return value?.exact === true && Math.abs(value.at) <= LAST_DATE_MS ? value.at : null
}
