/** Durations and times as users write them. */
import { SluiceError } from '../../shared/errors.ts'
import { givenText, type Arguments } from '../parse/arguments.ts'

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

/** Parses `90s`, `30m`, `2h`, `1h30m` or `45` (seconds) to milliseconds. @throws SluiceError BAD_FLAG */
export function parseDuration(flag: string, text: string): number {
  const compact = text.replaceAll(' ', '').toLowerCase()
  if (/^\d+(?:\.\d+)?$/.test(compact)) return Number(compact) * 1000
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|min|m|h|d))+$/.test(compact)) {
    throw new SluiceError('BAD_FLAG', `${flag} ${text} is not a duration`, {
      hint: 'write it like 90s, 30m, 2h or 1h30m',
    })
  }
  let total = 0
  for (const [, amount, unit] of compact.matchAll(/(\d+(?:\.\d+)?)(ms|s|min|m|h|d)/g)) {
    total += Number(amount) * (UNIT_MS[unit ?? ''] ?? 0)
  }
  return total
}

/**
 * Milliseconds of a flag; undefined if absent.
 * @param defaultText text that is used without the flag
 * @throws SluiceError BAD_FLAG
 */
export function givenDuration(args: Arguments, name: string, defaultText?: string): number | undefined {
  const text = givenText(args, name) ?? defaultText
  return text === undefined ? undefined : parseDuration(`--${name}`, text)
}

/** True if the date exists. Date.parse accepts February 30 as March 1 or 2, so the day is compared after parsing. */
function isDay(date: string): boolean {
  const parsed = new Date(`${date}T00:00:00Z`)
  return !Number.isNaN(parsed.getTime()) && parsed.toISOString().startsWith(date)
}

/** Matches a date, optionally with a time of day and a zone. */
const DATE_TIME = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)\s*(Z|[+-]\d{2}(?::?\d{2})?)?)?$/i

/**
 * Parses a time to ms since the epoch: `2026-11-20`, `2026-11-20T12:04`, `2026-11-20 12:04:16.2+01:00`. A time without
 * a zone is UTC.
 */
export function parseInstant(flag: string, text: string): number {
  const match = DATE_TIME.exec(text.trim())
  const [, date = '', time = '00:00:00', zone = 'Z'] = match ?? []
  const offset = /^[+-]\d{2}$/.test(zone)
    ? `${zone}:00`
    : /^[+-]\d{4}$/.test(zone)
      ? `${zone.slice(0, 3)}:${zone.slice(3)}`
      : zone
  const ms = match === null ? Number.NaN : Date.parse(`${date}T${time}${offset.toUpperCase()}`)
  const sameDay = match !== null && isDay(date)
  if (Number.isNaN(ms) || !sameDay) {
    throw new SluiceError('BAD_FLAG', `${flag} ${text} is not a date or time`, {
      hint: 'write it like 2026-11-20 or 2026-11-20T12:04:16Z; without a zone it is UTC',
    })
  }
  return ms
}
