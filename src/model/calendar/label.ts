/**
 * Names of periods. Each name belongs to one period for ever.
 *
 * - days `2024-04-01`, months `2024-04`
 * - weeks `2024-W14`: a week belongs to the year of most of its days (ISO 8601 if weeks begin on Monday)
 * - quarters and years `2024-Q2` and `2024`; `Q2-FY25` and `FY25` if a year begins in another month or has an offset
 *
 * A fiscal year has two digits from 2000 to 2099 and four otherwise: FY25 is 2025, FY1999 is 1999. Names of fiscal
 * quarters, and of years with two and with four digits, do not sort by time: sort periods by their first day.
 */
import type { CalendarSpec } from './calendar.ts'
import { civilDay } from '../run/civil-day.ts'
import { dayNumber, dayText, realDay } from './civil.ts'
import { ordinalOf, periodStart } from './ordinal.ts'
import { digits } from '../../shared/figures.ts'

/** The name of a period; null if its year is not one of 1 to 9999. */
export function labelOf(spec: CalendarSpec, ordinal: number): string | null {
  const start = periodStart(spec, ordinal)
  switch (spec.unit) {
    case 'day':
      return dayText(start)
    case 'month':
      return dayText(start).slice(0, 7)
    case 'week': {
      const { year } = civilDay(start + 3)
      return `${digits(year, 4)}-W${digits(Math.floor((start + 3 - newYear(year)) / 7) + 1, 2)}`
    }
    case 'quarter': {
      const began = Math.floor(ordinal / 4)
      const quarter = ordinal - began * 4 + 1
      const year = yearLabel(spec, began)
      return year === null ? null : isFiscal(spec) ? `Q${quarter}-${year}` : `${year}-Q${quarter}`
    }
    case 'year':
      return yearLabel(spec, ordinal)
  }
}

/** Number of the period with this name; null if there is none. Case is ignored, and FY2025 is FY25. */
export function ordinalAt(spec: CalendarSpec, label: string): number | null {
  switch (spec.unit) {
    case 'day': {
      const [, year, month, day] = /^(\d{4})-(\d\d)-(\d\d)$/.exec(label) ?? []
      return realDay(Number(year), Number(month), Number(day))
    }
    case 'month': {
      const [, year, month] = /^(\d{4})-(0[1-9]|1[0-2])$/.exec(label) ?? []
      return year === undefined ? null : Number(year) * 12 + Number(month) - 1
    }
    case 'week': {
      const [, year, week] = /^(\d{4})-W(0[1-9]|[1-4]\d|5[0-3])$/i.exec(label) ?? []
      if (year === undefined) return null
      // 4 January lies in the first week, whatever the first weekday.
      const ordinal = ordinalOf(spec, newYear(Number(year)) + 3) + Number(week) - 1
      return civilDay(periodStart(spec, ordinal) + 3).year === Number(year) ? ordinal : null
    }
    case 'quarter': {
      const [, quarter, year] = /^Q([1-4])-(FY\d+)$/i.exec(label) ?? []
      const [, plainYear, plainQuarter] = /^(\d{4})-Q([1-4])$/i.exec(label) ?? []
      const began = yearAt(spec, year ?? plainYear ?? '')
      return began === null ? null : began * 4 + Number(quarter ?? plainQuarter) - 1
    }
    case 'year':
      return yearAt(spec, label)
  }
}

/** A sample name, for messages. */
export function exampleOf(spec: CalendarSpec): string {
  return labelOf(spec, ordinalOf(spec, dayNumber({ year: 2024, month: 4, day: 15 }))) ?? spec.unit
}

/** True if the year's label can differ from the calendar year. */
function isFiscal(spec: CalendarSpec): boolean {
  return spec.firstMonth !== 1 || spec.yearOffset !== 0
}

function yearLabel(spec: CalendarSpec, began: number): string | null {
  const year = began + spec.yearOffset
  if (year < 1 || year > 9999) return null
  if (!isFiscal(spec)) return digits(year, 4)
  return year >= 2000 && year <= 2099 ? `FY${digits(year - 2000, 2)}` : `FY${digits(year, 4)}`
}

/** The calendar year in which the year with this label begins; null if the label is not the name of a year. */
function yearAt(spec: CalendarSpec, label: string): number | null {
  const found = (isFiscal(spec) ? /^FY(\d{4}|\d\d)$/i : /^(\d{4})$/).exec(label)?.[1]
  if (found === undefined) return null
  const year = Number(found) + (found.length === 2 ? 2000 : 0)
  return year < 1 ? null : year - spec.yearOffset
}

function newYear(year: number): number {
  return dayNumber({ year, month: 1, day: 1 })
}
