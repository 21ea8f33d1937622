/** Values of time columns: parses the text that a database prints, and writes bounds that it accepts. */
import { civilDay } from '../run/civil-day.ts'
import { realDay } from './civil.ts'
import { MS_OF_DAY } from './zone.ts'
import { digits } from '../../shared/figures.ts'

/** What a column holds. `timestamp` is local time without a zone; the last three are instants. */
export const VALUE_KINDS = ['date', 'timestamp', 'timestamptz', 'epoch-seconds', 'epoch-milliseconds'] as const

export type ValueKind = (typeof VALUE_KINDS)[number]

/** True for instants: their day depends on the zone. */
export function isInstant(kind: ValueKind): boolean {
  return kind !== 'date' && kind !== 'timestamp'
}

const WHEN =
  /^(\d{4,7})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?)?(?: ?(Z|[+-]\d\d(?::?\d\d(?::?\d\d)?)?))?( BC)?$/
const NUMBER = /^(-?\d{1,18})(?:\.(\d+))?$/

export type ReadValue = {
  /** Ms since the epoch; dates and local times as if in UTC; infinite for `infinity`. Fractions of seconds are cut. */
  readonly at: number
  /** True if nothing was cut off. */
  readonly exact: boolean
}

/** Parses a value that PostgreSQL prints in ISO style; an instant without an offset is UTC. Null if it is invalid. */
export function readValue(text: string, kind: ValueKind): ReadValue | null {
  const endless = /^(-?)infinity$/i.exec(text)
  if (endless !== null) return { at: endless[1] === '-' ? -Infinity : Infinity, exact: true }
  return kind === 'epoch-seconds' || kind === 'epoch-milliseconds' ? readEpoch(text, kind) : readWhen(text, kind)
}

/** A bound for a column: whole seconds, instants in UTC. @param at milliseconds, a multiple of 1000 */
export function valueText(at: number, kind: ValueKind): string {
  if (kind === 'epoch-seconds') return String(at / 1000)
  if (kind === 'epoch-milliseconds') return String(at)
  const number = Math.floor(at / MS_OF_DAY)
  const { year, month, day } = civilDay(number)
  const shown = `${digits(year < 1 ? 1 - year : year, 4)}-${digits(month, 2)}-${digits(day, 2)}`
  const era = year < 1 ? ' BC' : ''
  if (kind === 'date') return `${shown}${era}`
  const seconds = (at - number * MS_OF_DAY) / 1000
  const clock = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60]
  return `${shown} ${clock.map((part) => digits(part, 2)).join(':')}${kind === 'timestamptz' ? '+00' : ''}${era}`
}

function readWhen(text: string, kind: ValueKind): ReadValue | null {
  const found = WHEN.exec(text)
  if (found === null) return null
  const [, year, month, date, hour = '0', minute = '0', second = '0', rest = '', zone, era] = found
  const day = realDay(era === undefined ? Number(year) : 1 - Number(year), Number(month), Number(date))
  const [h, m, s] = [Number(hour), Number(minute), Number(second)]
  if (day === null || Number(year) === 0 || h > 23 || m > 59 || s > 59) return null
  if (zone !== undefined && kind !== 'timestamptz') return null
  const at = day * MS_OF_DAY + (h * 3600 + m * 60 + s) * 1000 - offsetOf(zone ?? 'Z')
  return { at, exact: /^0*$/.test(rest) }
}

function offsetOf(zone: string): number {
  const [hours = '0', minutes = '0', seconds = '0'] = zone.match(/\d\d/g) ?? []
  return (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * (zone.startsWith('-') ? -1000 : 1000)
}

function readEpoch(text: string, kind: 'epoch-seconds' | 'epoch-milliseconds'): ReadValue | null {
  const found = NUMBER.exec(text)
  if (found === null) return null
  const [, whole = '', rest = ''] = found
  // Round down, also before 1970.
  const broken = !/^0*$/.test(rest)
  const number = BigInt(whole) - (broken && whole.startsWith('-') ? 1n : 0n)
  const perSecond = kind === 'epoch-seconds' ? 1n : 1000n
  const below = ((number % perSecond) + perSecond) % perSecond
  const at = Number((number - below) / perSecond) * 1000
  return { at, exact: !broken && below === 0n }
}
