/** Periods of a table that are due, computed from its smallest value. */
import { SluiceError } from '../../shared/errors.ts'
import { isOlder } from './age.ts'
import { boundsFor } from './bounds.ts'
import type { CalendarSpec } from './calendar.ts'
import { dayText, FIRST_DAY, LAST_DAY, parseDay } from './civil.ts'
import { periodOfNumber, periodsBetween, type Period } from './period.ts'
import { isInstant, readValue, type ValueKind } from './value-text.ts'
import { dayAt, MS_OF_DAY } from './zone.ts'

/**
 * The period whose bounds (`boundsFor`) contain a value.
 * @internal for tests
 * @throws SluiceError VALUE_REFUSED if it is not a value of `kind`, is infinite, or lies outside of the years 1 to 9999
 */
export function periodOfValue(spec: CalendarSpec, value: string, kind: ValueKind): Period {
  const period = periodOfNumber(spec, dayOfValue(spec, value, kind))
  if (period === null) throw outsideYearsError(value)
  return period
}

/**
 * Due periods in order, computed lazily: from the period of the smallest value to the last period that ended before
 * `cutOffDay` or on it. Some may have no rows. Days that the zone skipped are left out.
 * @param smallest as in `periodOfValue`; null for a table without rows
 * @param cutOffDay from `cutOff`
 * @throws SluiceError VALUE_REFUSED for values before the year 1 and for `-infinity`; BAD_FLAG for too many periods
 */
export function duePeriods(
  spec: CalendarSpec,
  smallest: string | null,
  kind: ValueKind,
  cutOffDay: string,
): Iterable<Period> {
  if (smallest === null) return []
  const day = dayOfValue(spec, smallest, kind)
  if (day >= parseDay(cutOffDay)) return []
  if (periodOfNumber(spec, day) === null) throw outsideYearsError(smallest)
  const periods = periodsBetween(spec, dayText(day), cutOffDay)
  return {
    *[Symbol.iterator]() {
      for (const period of periods) if (isOlder(period, cutOffDay) && hasInstants(spec, period, kind)) yield period
    },
  }
}

/** Day number of a value; it may be infinite, or beyond the largest JavaScript date. */
function dayOfValue(spec: CalendarSpec, text: string, kind: ValueKind): number {
  const value = readValue(text, kind)
  if (value === null) {
    throw new SluiceError('VALUE_REFUSED', `${JSON.stringify(text)} is not a ${kind} value`, {
      kind: 'source',
      hint: 'name a time column with --by; if it has numbers, also give --epoch s or --epoch ms',
    })
  }
  if (!isInstant(kind)) return Math.floor(value.at / MS_OF_DAY)
  // Beyond these limits, no zone offset moves the value back into the valid range.
  const known = value.at > (FIRST_DAY - 2) * MS_OF_DAY && value.at < (LAST_DAY + 2) * MS_OF_DAY
  return known ? dayAt(spec.zone, value.at) : Math.floor(value.at / MS_OF_DAY)
}

function hasInstants(spec: CalendarSpec, period: Period, kind: ValueKind): boolean {
  const { from, to } = boundsFor(spec, period, kind)
  return from !== to
}

function outsideYearsError(value: string): SluiceError {
  return new SluiceError('VALUE_REFUSED', `${JSON.stringify(value)} is outside of the years 1 to 9999`, {
    kind: 'source',
    reason: 'a period has a name only within these years',
    hint: 'correct these values, or move their rows out of the table, then run the same command again',
  })
}
