/** Converts dates, timestamps and integers to units (integers) and back, to compare and shift bounds. */
import type { StoredType } from '../../model/archive/stored-column.ts'

const DAY_US = 86_400_000_000n
const DATE = /^(\d{4})-(\d\d)-(\d\d)/
const CLOCK = /^[ T](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?(Z|[+-]\d\d(?::?\d\d)?)?$/
const FIRST_DAY = daysOf(1, 1, 1)
const LAST_DAY = daysOf(9999, 12, 31)

/**
 * Converts a bound, as the source prints it, to a number: days since 1970 for a date, microseconds since 1970 for a
 * timestamp, or the number itself.
 * @returns null if the text cannot be read exactly as such a value
 */
export function unitsOf(text: string, stored: StoredType): bigint | null {
  switch (stored) {
    case 'byte':
    case 'short':
    case 'integer':
    case 'long':
      return /^-?\d{1,19}$/.test(text) ? BigInt(text) : null
    case 'date': {
      const instant = instantOf(text, false)
      return instant === null || instant % DAY_US !== 0n ? null : instant / DAY_US
    }
    case 'timestamp':
      return instantOf(text, true)
    case 'timestamp_ntz':
      return instantOf(text, false)
    default:
      return null
  }
}

/** Canonical text of a value that `unitsOf` returns; null outside the years 1 to 9999. */
export function unitsText(units: bigint, stored: StoredType): string | null {
  switch (stored) {
    case 'byte':
    case 'short':
    case 'integer':
    case 'long':
      return units.toString()
    case 'date':
      return dayText(units)
    case 'timestamp':
    case 'timestamp_ntz': {
      const rest = ((units % DAY_US) + DAY_US) % DAY_US
      const day = dayText((units - rest) / DAY_US)
      return day === null ? null : `${day} ${clockText(rest)}`
    }
    default:
      return null
  }
}

/** Units per day; 0 for numbers. */
export function unitsOfDay(stored: StoredType): bigint {
  if (stored === 'date') return 1n
  return stored === 'timestamp' || stored === 'timestamp_ntz' ? DAY_US : 0n
}

function instantOf(text: string, zoned: boolean): bigint | null {
  const [day, year, month, date] = DATE.exec(text) ?? []
  if (day === undefined) return null
  const days = daysOf(Number(year), Number(month), Number(date))
  if (dayText(days) !== day) return null
  const rest = text.slice(day.length)
  if (rest === '') return days * DAY_US
  const [clock, hours, minutes, seconds = '0', fraction = '', zone = ''] = CLOCK.exec(rest) ?? []
  if (clock === undefined || (zone !== '' && !zoned)) return null
  const whole = BigInt(Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) - offsetSeconds(zone)
  return days * DAY_US + whole * 1_000_000n + BigInt(fraction.padEnd(6, '0'))
}

function offsetSeconds(zone: string): bigint {
  if (zone === '' || zone === 'Z') return 0n
  const digits = zone.slice(1).replace(':', '')
  const seconds = BigInt(Number(digits.slice(0, 2)) * 3600 + Number(digits.slice(2) || '0') * 60)
  return zone.startsWith('-') ? -seconds : seconds
}

function daysOf(year: number, month: number, day: number): bigint {
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  return BigInt(date.getTime()) / 86_400_000n
}

function dayText(days: bigint): string | null {
  return days < FIRST_DAY || days > LAST_DAY ? null : new Date(Number(days) * 86_400_000).toISOString().slice(0, 10)
}

function clockText(microseconds: bigint): string {
  const two = (value: bigint): string => value.toString().padStart(2, '0')
  const seconds = microseconds / 1_000_000n
  const fraction = (microseconds % 1_000_000n).toString().padStart(6, '0').replace(/0+$/, '')
  const clock = `${two(seconds / 3600n)}:${two((seconds / 60n) % 60n)}:${two(seconds % 60n)}`
  return fraction === '' ? clock : `${clock}.${fraction}`
}
