/**
 * First instants of days in a time zone. Instants are ms since the epoch; days are numbered as in civil.ts.
 *
 * Clocks can be put forward over midnight (the day begins at 1:00), put back over it (midnight occurs twice), or moved
 * over a whole day. A day begins when the clock first shows it or a later day, and lasts until the next begins. So each
 * instant has one day, and days follow each other in every zone.
 */
import { SluiceError } from '../../shared/errors.ts'

export const MS_OF_DAY = 86_400_000
const MS_OF_HOUR = 3_600_000

/** Larger than the offset of any zone from UTC, ever. */
const WIDEST = 16 * MS_OF_HOUR

/** All supported time zones, each under one name. */
export function knownZones(): readonly string[] {
  return Intl.supportedValuesOf('timeZone')
}

/** True if a zone is supported, under any of its names. */
export function isZone(name: string): boolean {
  try {
    return clockOf(name) !== null
  } catch {
    return false
  }
}

/** First instant of a day; for a skipped day, of the next day. @throws SluiceError BAD_FLAG for an unknown zone */
export function firstInstant(zone: string, day: number): number {
  const shown = day * MS_OF_DAY
  if (zone === 'UTC') return shown
  const [low, high] = [shown - WIDEST, shown + WIDEST]
  const before = offset(zone, low)
  // In the 32 hours from `low` to `high`, no zone has changed its offset and changed it back.
  if (before === offset(zone, high)) return shown - before
  for (let at = low, ahead = before; ;) {
    const change = nextChange(zone, at, ahead, high)
    if (shown - ahead < change) return Math.max(at, shown - ahead)
    at = change
    ahead = offset(zone, at)
  }
}

/** The day of an instant: the latest that has begun. */
export function dayAt(zone: string, instant: number): number {
  let day = Math.floor(zoneWallClock(zone, instant) / MS_OF_DAY)
  if (zone === 'UTC') return day
  // A clock that is put back over midnight shows the previous day again.
  while (firstInstant(zone, day + 1) <= instant) day += 1
  return day
}

/** Local time of the zone, as milliseconds since 1970-01-01 00:00 of local time. */
export function zoneWallClock(zone: string, instant: number): number {
  return zone === 'UTC' ? instant : instant + offset(zone, instant)
}

/** First instant after `from` with another offset; Infinity if there is none before `end`. */
function nextChange(zone: string, from: number, ahead: number, end: number): number {
  let same = from
  let other = from + MS_OF_HOUR
  while (offset(zone, other) === ahead) {
    if (other >= end) return Number.POSITIVE_INFINITY
    same = other
    other += MS_OF_HOUR
  }
  while (other - same > 1000) {
    const middle = Math.floor((same + other) / 2000) * 1000
    if (offset(zone, middle) === ahead) same = middle
    else other = middle
  }
  return other
}

const clocks = new Map<string, Intl.DateTimeFormat>()

/** @throws RangeError for an unknown zone */
function clockOf(zone: string): Intl.DateTimeFormat {
  let clock = clocks.get(zone)
  if (clock === undefined) {
    clock = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset', year: 'numeric' })
    clocks.set(zone, clock)
  }
  return clock
}

/**
 * Offset from UTC in milliseconds; before standard time, offsets have seconds.
 * @throws SluiceError BAD_FLAG for an unknown zone, or an instant out of the range of `Date`
 */
export function offset(zone: string, instant: number): number {
  let shown: string
  try {
    shown = clockOf(zone).format(instant)
  } catch (cause) {
    throw new SluiceError(
      'BAD_FLAG',
      `the time in the zone ${JSON.stringify(zone)} cannot be computed for the instant ${instant}`,
      {
        hint: 'give the name of a time zone, such as Europe/Berlin or UTC',
        cause,
      },
    )
  }
  const [, sign = '+', hours = 0, minutes = 0, seconds = 0] = /GMT([+-])(\d\d):(\d\d)(?::(\d\d))?$/.exec(shown) ?? []
  const size = (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000
  return sign === '-' ? -size : size
}
