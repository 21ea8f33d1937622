/**
 * Days as integers since 1970-01-01, in the proleptic Gregorian calendar without limits. The year 0 is 1 BC.
 * http://howardhinnant.github.io/date_algorithms.html#civil_from_days
 */
import { digits } from '../../shared/figures.ts'

export type CivilDay = { readonly year: number; readonly month: number; readonly day: number }

export const DAYS_OF_400_YEARS = 146_097
/** Days from 0000-03-01 to 1970-01-01. Years start in March, so that a leap day is the last of its year. */
export const DAYS_TO_1970 = 719_468

export function civilDay(number: number): CivilDay {
  const shifted = number + DAYS_TO_1970
  const era = Math.floor(shifted / DAYS_OF_400_YEARS)
  const dayOfEra = shifted - era * DAYS_OF_400_YEARS
  const leapDays =
    Math.floor(dayOfEra / 1460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / (DAYS_OF_400_YEARS - 1))
  const yearOfEra = Math.floor((dayOfEra - leapDays) / 365)
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const fromMarch = Math.floor((5 * dayOfYear + 2) / 153)
  const month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * fromMarch + 2) / 5) + 1,
  }
}

/** `YYYY-MM-DD`, with more digits for later years, and ` BC` for years before 1. @param rest inserted before BC */
export function eraDayText(number: number, rest = ''): string {
  const { year, month, day } = civilDay(number)
  const shown = year < 1 ? 1 - year : year
  return `${digits(shown, 4)}-${digits(month, 2)}-${digits(day, 2)}${rest}${year < 1 ? ' BC' : ''}`
}
