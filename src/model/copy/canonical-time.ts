/**
 * Canonical form of dates and times: as PostgreSQL prints them in ISO style, instants in UTC, without trailing zeros of
 * a fraction: `2024-02-29`, `13:00:00.5`, `2024-02-29 13:00:00`, `0044-03-15 BC`, `infinity`.
 */
import { refusedValue } from './refused.ts'

const DATE = /^\d{4}-\d\d-\d\d$/
const ANY_DATE = /^(\d{4,}-\d\d-\d\d)(?:[ T]00:00:00(?:\.0+)?)?( BC| \(BC\))?$/
const INFINITE = /^-?infinity$/i

/** A date in canonical form. @throws SluiceError VALUE_REFUSED */
export function date(text: string): string {
  if (DATE.test(text)) return text
  const found = ANY_DATE.exec(text)
  if (found !== null) return `${found[1]}${found[2] === undefined ? '' : ' BC'}`
  if (INFINITE.test(text)) return text.toLowerCase()
  throw refusedValue('a date', text)
}

const TIME = /^(-?\d{2,}:\d\d)(:\d\d)?(?:\.(\d+))?$/

/** A time of day in canonical form. @throws SluiceError VALUE_REFUSED */
export function time(text: string): string {
  const found = TIME.exec(text)
  if (found === null || (found[2] === undefined && found[3] !== undefined)) throw refusedValue('a time of day', text)
  return `${found[1]}${found[2] ?? ':00'}${fraction(found[3])}`
}

const PLAIN = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d*[1-9])?$/
const TIMESTAMP =
  /^(\d{4,}-\d\d-\d\d)( \(BC\))?(?:[ T](\d\d:\d\d)(?::(\d\d)(?:\.(\d+))?)?)?(?: ?(Z|[+-]\d\d(?::?\d\d(?::?\d\d)?)?))?( BC)?$/
const NO_OFFSET = /^(?:Z|[+-]00(?::?00){0,2})$/

/**
 * @param zone true for an instant, given in UTC or with an offset; false for a local time, which has no offset
 * @throws SluiceError VALUE_REFUSED
 */
export function canonicalInstant(text: string, zone: boolean): string {
  if (PLAIN.test(text)) return text
  const found = TIMESTAMP.exec(text)
  if (found === null) {
    if (INFINITE.test(text)) return text.toLowerCase()
    throw refusedValue(zone ? 'a time' : 'a date and time', text)
  }
  const [, day = '', duckBc, clock = '00:00', seconds = '00', digits, offset, bc] = found
  const before = duckBc !== undefined || bc !== undefined
  if (offset === undefined || (zone && NO_OFFSET.test(offset))) {
    return `${day} ${clock}:${seconds}${fraction(digits)}${before ? ' BC' : ''}`
  }
  if (!zone) throw refusedValue('a date and time without a zone', text)
  return toUtc(`${day}T${clock}:${seconds}Z`, before, offset, fraction(digits), text)
}

/** A canonical time with at most `digits` digits of the fraction; further digits are cut off without rounding. */
export function cutFraction(canonical: string, digits: number): string {
  return canonical.replace(/\.(\d+)/, (_, all: string) => fraction(all.slice(0, digits)))
}

/** The date of a timestamp. @throws SluiceError VALUE_REFUSED */
export function dateOf(text: string): string {
  return canonicalInstant(text.includes(':') || INFINITE.test(text) ? text : date(text), false).replace(
    / \d\d:\d\d:\d\d(?:\.\d+)?/,
    '',
  )
}

/** The fraction without trailing zeros: `.500000` becomes `.5`, and `.000` becomes an empty text. */
function fraction(digits: string | undefined): string {
  if (digits === undefined) return ''
  const short = digits.replace(/0+$/, '')
  return short === '' ? '' : `.${short}`
}

/** Converts to UTC. Years before Christ with an offset are refused: systems print those in UTC anyway. */
function toUtc(iso: string, before: boolean, offset: string, digits: string, text: string): string {
  const [hours = '0', minutes = '0', seconds = '0'] = offset.slice(1).match(/\d\d/g) ?? []
  const shift = (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * (offset.startsWith('-') ? -1 : 1)
  const at = before || iso.length > 20 ? Number.NaN : Date.parse(iso) - shift * 1000
  if (Number.isNaN(at)) throw refusedValue('a time in UTC', text)
  const utc = new Date(at).toISOString()
  // Near year 1 or 9999, UTC can fall into the year before or after.
  const year = new Date(at).getUTCFullYear()
  const shown = year < 1 ? String(1 - year).padStart(4, '0') : String(year).padStart(4, '0')
  const rest = utc.slice(utc.indexOf('-', 1), -5).replace('T', ' ')
  return `${shown}${rest}${digits}${year < 1 ? ' BC' : ''}`
}
