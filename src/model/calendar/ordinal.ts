/** Numbers of periods, without gaps: the next period has the next number. */
import type { CalendarSpec } from './calendar.ts'
import { civilDay } from '../run/civil-day.ts'
import { dayNumber } from './civil.ts'

/** Number of the period that contains a day (a number of civil.ts). */
export function ordinalOf(spec: CalendarSpec, day: number): number {
  if (spec.unit === 'day') return day
  if (spec.unit === 'week') return Math.floor((day - firstWeek(spec)) / 7)
  const { year, month } = civilDay(day)
  if (spec.unit === 'month') return year * 12 + month - 1
  return Math.floor((year * 12 + month - spec.firstMonth) / monthsOf(spec.unit))
}

/** First day of a period. */
export function periodStart(spec: CalendarSpec, ordinal: number): number {
  if (spec.unit === 'day') return ordinal
  if (spec.unit === 'week') return ordinal * 7 + firstWeek(spec)
  const month = spec.unit === 'month' ? ordinal : ordinal * monthsOf(spec.unit) + spec.firstMonth - 1
  const year = Math.floor(month / 12)
  return dayNumber({ year, month: month - year * 12 + 1, day: 1 })
}

/** 1970-01-01 was a Thursday, so the Monday before it is day -3. */
function firstWeek(spec: CalendarSpec): number {
  return spec.firstWeekday - 4
}

function monthsOf(unit: 'quarter' | 'year'): number {
  return unit === 'quarter' ? 3 : 12
}
