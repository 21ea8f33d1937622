/** Calendar days as numbers (`model/run/civil-day.ts`) and as text. */
import { civilDay, DAYS_OF_400_YEARS, DAYS_TO_1970, type CivilDay } from '../run/civil-day.ts'
import { SluiceError } from '../../shared/errors.ts'
import { digits } from '../../shared/figures.ts'

/** 0001-01-01 and 9999-12-31: between them, years have four digits, and days sort like their texts. */
export const FIRST_DAY = -719_162
export const LAST_DAY = 2_932_896

/** A day as a number. Years start in March here, so that a leap day is the last day of its year. */
export function dayNumber({ year, month, day }: CivilDay): number {
  const shifted = month <= 2 ? year - 1 : year
  const era = Math.floor(shifted / 400)
  const yearOfEra = shifted - era * 400
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  return era * DAYS_OF_400_YEARS + dayOfEra - DAYS_TO_1970
}

/** The day as a number; null if the calendar has no such day. */
export function realDay(year: number, month: number, day: number): number | null {
  if (month < 1 || month > 12 || day < 1 || day > 31) return null
  const number = dayNumber({ year, month, day })
  return civilDay(number).day === day ? number : null
}

/** True for days of the years 1 to 9999: only their periods have names. */
export function isLabelled(number: number): boolean {
  return number >= FIRST_DAY && number <= LAST_DAY
}

/** `YYYY-MM-DD`. Only for days from FIRST_DAY to LAST_DAY. */
export function dayText(number: number): string {
  const { year, month, day } = civilDay(number)
  return `${digits(year, 4)}-${digits(month, 2)}-${digits(day, 2)}`
}

/** @throws SluiceError BAD_FLAG if the text is not a `YYYY-MM-DD` day of the years 0001 to 9999 */
export function parseDay(text: string): number {
  const found = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text)
  const number = found === null ? null : realDay(Number(found[1]), Number(found[2]), Number(found[3]))
  if (number === null || !isLabelled(number)) {
    throw new SluiceError('BAD_FLAG', `${JSON.stringify(text)} is not a day`, { hint: 'write it as 2024-04-01' })
  }
  return number
}
