/**
 * Timestamps as text in a pattern of Java's `DateTimeFormatter`, in a zone with a fixed offset. Numeric letters only (y
 * u M d H h m s S a): names of months and days depend on a language, and are refused.
 */
import { SluiceError } from '../../shared/errors.ts'
import { isZone, offset } from '../calendar/zone.ts'
import { refusedValue } from './refused.ts'

type Field = 'year' | 'month' | 'day' | 'hour' | 'hour12' | 'half' | 'minute' | 'second' | 'fraction'
type Part = { readonly field: Field; readonly width: number } | { readonly literal: string }

const FIELDS: Readonly<Record<string, { readonly field: Field; readonly most: number }>> = {
  y: { field: 'year', most: 4 },
  u: { field: 'year', most: 4 },
  M: { field: 'month', most: 2 },
  d: { field: 'day', most: 2 },
  H: { field: 'hour', most: 2 },
  h: { field: 'hour12', most: 2 },
  a: { field: 'half', most: 1 },
  m: { field: 'minute', most: 2 },
  s: { field: 'second', most: 2 },
  S: { field: 'fraction', most: 9 },
}

export type DatePattern = {
  /** Milliseconds since 1970 as text. @throws SluiceError VALUE_REFUSED for years before 1 or after 9999 */
  format(ms: number): string
  /** @throws SluiceError VALUE_REFUSED for a text of another form, an invalid day, or fractions of a millisecond */
  parse(text: string): number
  /** Fields that the pattern lacks for a complete timestamp; null if it is complete. */
  readonly lacks: string | null
  /** False if `format` loses information. */
  readonly exact: boolean
}

/**
 * @param offsetMs of the zone, east of UTC
 * @throws SluiceError BAD_CONFIG for an unsupported letter
 */
export function datePattern(pattern: string, offsetMs: number): DatePattern {
  const parts = partsOf(pattern)
  const has = (field: Field): boolean => parts.some((part) => 'field' in part && part.field === field)
  const width = (field: Field): number =>
    Math.max(0, ...parts.map((part) => ('field' in part && part.field === field ? part.width : 0)))
  const shape = new RegExp(`^${parts.map(shapeOf).join('')}$`)
  const needed: readonly (readonly [string, boolean])[] = [
    ['a year', has('year')],
    ['a month', has('month')],
    ['a day', has('day')],
    ['an hour', has('hour') || (has('hour12') && has('half'))],
    ['minutes, which its seconds need', has('minute') || (!has('second') && !has('fraction'))],
    ['seconds, which their fraction needs', has('second') || !has('fraction')],
  ]
  const missing = needed.filter(([, isThere]) => !isThere).map(([what]) => what)
  const wholeDay = has('minute') && has('second') && width('fraction') >= 3
  return {
    format: (ms) => formatted(parts, new Date(ms + offsetMs), ms),
    parse: (text) => parsed(parts, shape.exec(text), text) - offsetMs,
    lacks: missing.length === 0 ? null : missing.join(', '),
    exact: missing.length === 0 && wholeDay && width('year') === 4,
  }
}

function partsOf(pattern: string): readonly Part[] {
  const parts: Part[] = []
  const tokens = /'((?:[^']|'')*)'|([A-Za-z])\2*|[#{}[\]]|[^A-Za-z'#{}[\]]+|'/g
  for (const [token, quoted, letter] of pattern.matchAll(tokens)) {
    if (quoted !== undefined) parts.push({ literal: quoted === '' ? "'" : quoted.replaceAll("''", "'") })
    else if (letter !== undefined) {
      const known = FIELDS[letter]
      const isYear = known?.field === 'year'
      if (known === undefined || token.length > known.most || (isYear && token.length === 3))
        throw unsupportedToken(token)
      parts.push({ field: known.field, width: token.length })
    } else if (/^['#{}[\]]$/.test(token)) throw unsupportedToken(token)
    else parts.push({ literal: token })
  }
  return parts
}

function unsupportedToken(token: string): SluiceError {
  return new SluiceError('BAD_CONFIG', `a pattern with ${token} is not supported`, {
    hint: 'use yyyy, yy, MM, dd, HH, hh with a, mm, ss, S up to nine times, and texts between them',
  })
}

function shapeOf(part: Part): string {
  if ('literal' in part) return part.literal.replaceAll(/[.*+?^${}()|[\]\\/-]/g, String.raw`\$&`)
  const { field, width } = part
  if (field === 'half') return '(AM|PM)'
  // A single letter accepts any number of digits, but no year has more than 4, and no other field more than 2.
  if (width === 1 && field !== 'fraction') return field === 'year' ? String.raw`(\d{1,4})` : String.raw`(\d{1,2})`
  return String.raw`(\d{${width}})`
}

function formatted(parts: readonly Part[], local: Date, ms: number): string {
  const year = local.getUTCFullYear()
  if (Number.isNaN(year) || year < 1 || year > 9999) throw refusedValue('a time in the years 1 to 9999', String(ms))
  const values: Readonly<Record<Exclude<Field, 'half' | 'fraction'>, number>> = {
    year,
    month: local.getUTCMonth() + 1,
    day: local.getUTCDate(),
    hour: local.getUTCHours(),
    hour12: local.getUTCHours() % 12 || 12,
    minute: local.getUTCMinutes(),
    second: local.getUTCSeconds(),
  }
  return parts
    .map((part) => {
      if ('literal' in part) return part.literal
      const { field, width } = part
      if (field === 'half') return local.getUTCHours() < 12 ? 'AM' : 'PM'
      if (field === 'fraction') return `${String(local.getUTCMilliseconds()).padStart(3, '0')}000000`.slice(0, width)
      const digits = String(values[field]).padStart(width, '0')
      return field === 'year' && width === 2 ? digits.slice(-2).padStart(2, '0') : digits
    })
    .join('')
}

function parsed(parts: readonly Part[], found: RegExpExecArray | null, text: string): number {
  if (found === null) throw refusedValue('a time in the form of the pattern', text)
  const values: Partial<Record<Field, string>> = {}
  let at = 1
  for (const part of parts) {
    if ('literal' in part) continue
    const value = found[at++] ?? ''
    // A repeated field must have the same value.
    if ((values[part.field] ?? value) !== value) throw refusedValue('a time in the form of the pattern', text)
    values[part.field] = part.field === 'year' && part.width === 2 ? `20${value}` : value
  }
  const number = (field: Field): number => Number(values[field] ?? 0)
  const hour = values.hour ?? String((number('hour12') % 12) + (values.half === 'PM' ? 12 : 0))
  const fraction = (values.fraction ?? '').padEnd(9, '0')
  const fields = [number('year'), number('month') - 1, number('day'), Number(hour), number('minute'), number('second')]
  const instant = new Date(0)
  const [year = 0, month = 0, day = 0, hours = 0, minutes = 0, seconds = 0] = fields
  instant.setUTCFullYear(year, month, day)
  instant.setUTCHours(hours, minutes, seconds, Number(fraction.slice(0, 3)))
  const same = [
    instant.getUTCFullYear(),
    instant.getUTCMonth(),
    instant.getUTCDate(),
    instant.getUTCHours(),
    instant.getUTCMinutes(),
    instant.getUTCSeconds(),
  ]
  if (year < 1 || same.some((value, index) => value !== fields[index])) throw refusedValue('a time', text)
  if (/[1-9]/.test(fraction.slice(3))) throw refusedValue('a time of whole milliseconds', text)
  return instant.getTime()
}

/**
 * The offset of a zone in ms east of UTC; null if it changes, as with daylight saving time.
 * @throws SluiceError BAD_CONFIG if the zone does not exist
 */
export function fixedOffset(zone: string): number | null {
  if (!isZone(zone)) {
    throw new SluiceError('BAD_CONFIG', `there is no time zone ${zone}`, {
      hint: 'give a zone such as UTC or Etc/GMT-1',
    })
  }
  const ahead = offset(zone, 0)
  for (let month = 1; month < 12 * 70; month++) if (offset(zone, Date.UTC(1970, month, 1)) !== ahead) return null
  return ahead
}
