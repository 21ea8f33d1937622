/**
 * Dates, times of day, timestamps, durations: Cassandra's numbers and their canonical texts
 * (docs/reference/CANONICAL.md).
 */
import { DAYS_OF_400_YEARS, DAYS_TO_1970, eraDayText } from '../../../model/run/civil-day.ts'

const DAY = 86_400_000

const DAY_TEXT = /^(\d{4,7})-(\d\d)-(\d\d)( BC)?$/

/** Days since 1970-01-01; null if the text is not a date, or names a day that does not exist. */
export function daysOf(text: string): number | null {
  const found = DAY_TEXT.exec(text)
  if (found === null) return null
  const month = Number(found[2])
  const year = (found[4] === undefined ? Number(found[1]) : 1 - Number(found[1])) - (month <= 2 ? 1 : 0)
  const era = Math.floor(year / 400)
  const yearOfEra = year - era * 400
  const ofYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + Number(found[3]) - 1
  const ofEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + ofYear
  const days = era * DAYS_OF_400_YEARS + ofEra - DAYS_TO_1970
  return eraDayText(days) === text ? days : null
}

let lastDays = 0
let lastText = '1970-01-01'

/** @param ms since 1970 */
export function timestampText(ms: number): string {
  const days = Math.floor(ms / DAY)
  // Consecutive values often have the same day: reuse its text.
  if (days !== lastDays) {
    lastText = eraDayText(days)
    lastDays = days
  }
  const rest = ms - days * DAY
  const second = Math.floor(rest / 1000)
  const clock = `${clockText(second)}${fraction(rest - second * 1000, 3)}`
  return lastText.endsWith('C') ? `${lastText.slice(0, -3)} ${clock} BC` : `${lastText} ${clock}`
}

const TIMESTAMP_TEXT = /^(\d{4,6}-\d\d-\d\d)(?: (\d\d):(\d\d):(\d\d)(?:\.(\d{1,3}))?)?( BC)?$/

/** Milliseconds since 1970; null if the text is not a timestamp, or is finer than ms. A date alone means 00:00:00. */
export function msOfTimestamp(text: string): number | null {
  const quick = ofLastDay(text)
  if (quick !== null) return quick
  const found = TIMESTAMP_TEXT.exec(text)
  if (found === null) return null
  const [, day = '', hours = '00', minutes = '00', seconds = '00', digits = '', bc = ''] = found
  const days = daysOf(`${day}${bc}`)
  if (days === null || hours > '23' || minutes > '59' || seconds > '59') return null
  const ms = Number(digits.padEnd(3, '0'))
  lastDays = days
  lastText = `${day}${bc}`
  return days * DAY + Number(hours) * 3_600_000 + Number(minutes) * 60_000 + Number(seconds) * 1000 + ms
}

const COLON = 0x3a
const POINT = 0x2e

/** Fast path for the day of the previous call, in the years 1 to 9999 AD: `… hh:mm:ss.fff`. */
function ofLastDay(text: string): number | null {
  const { length } = text
  if (length < 19 || length > 23 || length === 20 || lastText.length !== 10 || !text.startsWith(lastText)) return null
  if (text.charCodeAt(10) !== 0x20 || text.charCodeAt(13) !== COLON || text.charCodeAt(16) !== COLON) return null
  const hours = pair(text, 11)
  const minutes = pair(text, 14)
  const seconds = pair(text, 17)
  if (!(hours < 24 && minutes < 60 && seconds < 60)) return null
  let ms = lastDays * DAY + hours * 3_600_000 + minutes * 60_000 + seconds * 1000
  if (length === 19) return ms
  if (text.charCodeAt(19) !== POINT) return null
  for (let at = 20, size = 100; at < length; at++, size /= 10) {
    const digit = text.charCodeAt(at) - 0x30
    if (digit < 0 || digit > 9) return null
    ms += digit * size
  }
  return ms
}

/** Number of the two digits at a position; NaN if they are not digits. */
function pair(text: string, at: number): number {
  const tens = text.charCodeAt(at) - 0x30
  const ones = text.charCodeAt(at + 1) - 0x30
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN
}

/** @param nanos since midnight */
export function cassandraTimeText(nanos: bigint): string {
  const second = nanos / 1_000_000_000n
  return `${clockText(Number(second))}${fraction(Number(nanos - second * 1_000_000_000n), 9)}`
}

const TIME_TEXT = /^([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?:\.(\d{1,9}))?$/

/** Nanoseconds since midnight; null if the text is not a time of day, or is 24:00:00. */
export function nanosOf(text: string): bigint | null {
  const found = TIME_TEXT.exec(text)
  if (found === null) return null
  const second = Number(found[1]) * 3600 + Number(found[2]) * 60 + Number(found[3])
  return BigInt(second) * 1_000_000_000n + BigInt((found[4] ?? '').padEnd(9, '0'))
}

/** Parts of a duration, all with one sign. */
export type DurationParts = { readonly months: number; readonly days: number; readonly nanos: bigint }

const UNITS: readonly (readonly [string, bigint])[] = [
  ['h', 3_600_000_000_000n],
  ['m', 60_000_000_000n],
  ['s', 1_000_000_000n],
  ['ms', 1_000_000n],
  ['us', 1000n],
  ['ns', 1n],
]

/** As Cassandra prints it: `1y2mo3d4h5m6s7ms8us9ns`; an empty one is `0s`. */
export function cassandraDurationText({ months, days, nanos }: DurationParts): string {
  const all = Math.abs(months)
  const years = Math.trunc(all / 12)
  let text = `${part(years, 'y')}${part(all % 12, 'mo')}${part(Math.abs(days), 'd')}`
  let rest = nanos < 0n ? -nanos : nanos
  for (const [unit, size] of UNITS) {
    text += part(rest / size, unit)
    rest %= size
  }
  if (text === '') return '0s'
  return months < 0 || days < 0 || nanos < 0n ? `-${text}` : text
}

const DURATION_TEXT =
  /^(-?)(?:(\d+)y)?(?:(\d+)mo)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?(?:(\d+)us)?(?:(\d+)ns)?$/

/** Parses a duration; null unless it is exactly a text of `cassandraDurationText`. */
export function durationOf(text: string): DurationParts | null {
  const found = DURATION_TEXT.exec(text)
  if (found === null) return null
  const [, minus, years = '0', months = '0', days = '0', ...clock] = found
  const sign = minus === '-' ? -1 : 1
  let nanos = 0n
  for (const [at, [, size]] of UNITS.entries()) nanos += BigInt(clock[at] ?? '0') * size
  const parts = {
    // `|| 0` turns -0 into 0.
    months: sign * (Number(years) * 12 + Number(months)) || 0,
    days: sign * Number(days) || 0,
    nanos: BigInt(sign) * nanos,
  }
  return cassandraDurationText(parts) === text ? parts : null
}

function part(count: number | bigint, unit: string): string {
  return Number(count) === 0 ? '' : `${count}${unit}`
}

function clockText(seconds: number): string {
  const minutes = Math.floor(seconds / 60)
  const hours = Math.floor(minutes / 60)
  return `${two(hours)}:${two(minutes - hours * 60)}:${two(seconds - minutes * 60)}`
}

const PAIRS = Array.from({ length: 100 }, (_, number) => String(number).padStart(2, '0'))

function two(number: number): string {
  return PAIRS[number] ?? ''
}

/** Digits after the point, without zeros at the end: `.5` for 500 of 3 digits; empty for 0. */
function fraction(count: number, digits: number): string {
  return count === 0 ? '' : `.${String(count).padStart(digits, '0').replace(/0+$/, '')}`
}
