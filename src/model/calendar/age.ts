/** Minimum age of a period that is due: `8q`, `24m`, `2y`, `90d`, `13w`. */
import { SluiceError } from '../../shared/errors.ts'
import type { CalendarSpec, CalendarUnit } from './calendar.ts'
import { dayText, isLabelled } from './civil.ts'
import { ordinalOf, periodStart } from './ordinal.ts'
import type { Period } from './period.ts'
import { dayAt } from './zone.ts'

/** A number of whole periods of a unit. */
export type Age = { readonly count: number; readonly unit: CalendarUnit }

const UNIT_OF: ReadonlyMap<string, CalendarUnit> = new Map([
  ['d', 'day'],
  ['w', 'week'],
  ['m', 'month'],
  ['q', 'quarter'],
  ['y', 'year'],
])

/** Parses an age. `m` is a month; `0q` is everything before the current quarter. @throws SluiceError BAD_FLAG */
export function parseAge(text: string): Age {
  const found = /^\s*(\d{1,6})\s*([dwmqy])\s*$/i.exec(text)
  const unit = UNIT_OF.get(found?.[2]?.toLowerCase() ?? '')
  if (found === null || unit === undefined) {
    throw new SluiceError('BAD_FLAG', `${JSON.stringify(text)} is not an age`, {
      hint: 'write a number and d, w, m (months), q or y, such as 8q or 24m',
    })
  }
  return { count: Number(found[1]), unit }
}

export function ageText({ count, unit }: Age): string {
  return `${count}${unit.charAt(0)}`
}

/**
 * The first day that is kept (`YYYY-MM-DD`, in the zone of the calendar): the current period and `count` whole periods
 * before it are kept. They are counted in the unit of the age, as the calendar defines it: with a first month of April,
 * `2y` are fiscal years.
 * @throws SluiceError BAD_FLAG for an age that reaches beyond the year 1
 */
export function cutOff(spec: CalendarSpec, age: Age, now: Date): string {
  const counted: CalendarSpec = { ...spec, unit: age.unit }
  const day = periodStart(counted, ordinalOf(counted, dayAt(spec.zone, now.getTime())) - age.count)
  if (!isLabelled(day)) {
    throw new SluiceError('BAD_FLAG', `the age ${ageText(age)} is too large`, {
      reason: 'it reaches back before the year 1',
      hint: 'give a smaller number',
    })
  }
  return dayText(day)
}

/** True if a period ended before the first day that is kept, so that it is due. */
export function isOlder(period: Period, cutOffDay: string): boolean {
  return period.to <= cutOffDay
}
