/** `--between 22:00-05:00`: hours of the day in which a run works. Outside of them it waits. */
import type { RunControl } from '../../engine/run/operation.ts'
import type { Clock } from '../../shared/clock.ts'
import { isZone, zoneWallClock } from '../../model/calendar/zone.ts'
import { SluiceError } from '../../shared/errors.ts'
import { givenText, type Arguments } from '../parse/arguments.ts'
import type { ConfigDefaults } from '../config/config.ts'
import { digits } from '../../shared/figures.ts'

const DAY = 24 * 60
const MINUTE_MS = 60_000

/** Minutes since midnight; `to` is exclusive. If `to` is before `from`, the hours include midnight. */
export type Hours = { readonly from: number; readonly to: number; readonly zone: string }

/** @throws SluiceError BAD_FLAG for invalid hours or an unknown zone */
export function readHours(args: Arguments, defaults: ConfigDefaults): Hours | undefined {
  const text = givenText(args, 'between') ?? defaults.between
  if (text === undefined) return undefined
  const zone = givenText(args, 'zone') ?? defaults.zone ?? Intl.DateTimeFormat().resolvedOptions().timeZone
  return parseHours(text, zone)
}

/** @throws SluiceError BAD_FLAG */
export function parseHours(text: string, zone: string): Hours {
  const [, ...parts] = /^(\d{1,2}):(\d\d)\s*-\s*(\d{1,2}):(\d\d)$/.exec(text.trim()) ?? []
  const [fromHour = 99, fromMinute = 0, toHour = 99, toMinute = 0] = parts.map(Number)
  const [from, to] = [fromHour * 60 + fromMinute, toHour * 60 + toMinute]
  if (from >= DAY || to > DAY || fromMinute > 59 || toMinute > 59 || from === to % DAY) {
    throw new SluiceError('BAD_FLAG', `--between ${text} is not a time range`, {
      hint: 'write start and end, such as 22:00-05:00',
    })
  }
  if (!isZone(zone)) {
    throw new SluiceError('BAD_FLAG', `--zone ${zone} is not a time zone`, {
      hint: 'write it like Europe/Berlin or America/New_York',
    })
  }
  return { from, to: to % DAY, zone }
}

const timeText = (minute: number): string => `${digits(Math.floor(minute / 60), 2)}:${digits(minute % 60, 2)}`

/** Hours and zone as text: `22:00-05:00 (Europe/Berlin)`. */
export function hoursText({ from, to, zone }: Hours): string {
  return `${timeText(from)}-${timeText(to)} (${zone})`
}

/** True if the local time in the zone is within the hours. @param instant time, ms since the epoch */
export function isWithin(hours: Hours, instant: number): boolean {
  const minute = Math.floor(zoneWallClock(hours.zone, instant) / MINUTE_MS)
  const now = minute - Math.floor(minute / DAY) * DAY
  const { from, to } = hours
  return from < to ? now >= from && now < to : now >= from || now < to
}

/** Pauses a run outside of the hours. @param report called once when the run starts to wait, once when it resumes */
export function pauseOutside(hours: Hours, clock: Pick<Clock, 'now'>, report: (message: string) => void): RunControl {
  let isHeld = false
  // A waiting run reads `paused` many times a second; the value can change only with the minute.
  let minute = Number.NaN
  return {
    lanes: null,
    get paused() {
      const now = clock.now()
      if (Math.floor(now / MINUTE_MS) === minute) return isHeld
      minute = Math.floor(now / MINUTE_MS)
      const before = isHeld
      isHeld = !isWithin(hours, now)
      if (isHeld !== before) {
        const what = isHeld ? `no new work begins before ${timeText(hours.from)}` : 'the run continues'
        report(`${isHeld ? 'outside of' : 'within'} the hours ${hoursText(hours)}: ${what}`)
      }
      return isHeld
    },
  }
}
