/** Text forms of a rule: for the rows of a queue, and for users. */
import type { CalendarSpec } from '../../../model/calendar/calendar.ts'
import { calendarText, parseCalendar } from '../../../model/calendar/calendar-text.ts'
import { MS_OF_DAY } from '../../../model/calendar/zone.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { ScheduleRule } from './rule.ts'
import { digits } from '../../../shared/figures.ts'

const MONTHS = 'January February March April May June July August September October November December'.split(' ')
const WEEKDAYS = 'Monday Tuesday Wednesday Thursday Friday Saturday Sunday'.split(' ')
const MS_OF_MINUTE = 60_000

/** `quarter(first-month=4,year-offset=1,zone=UTC) 1 02:30`, or `15m`. */
export function ruleText(rule: ScheduleRule): string {
  if (rule.every === 'interval') return `${rule.ms / MS_OF_MINUTE}m`
  return `${calendarText(rule.calendar)} ${rule.day} ${clockOf(rule.minute)}`
}

/** Parses the text of `ruleText`, by this program or an older one. @throws SluiceError BAD_FLAG for any other text */
export function parseRule(text: string): ScheduleRule {
  const minutes = /^(\d{1,4})m$/.exec(text)
  if (minutes !== null) return intervalOf(Number(minutes[1]) * MS_OF_MINUTE, text)
  const found = /^(.+\)) (-?\d{1,3}) (\d\d:\d\d)$/.exec(text)
  if (found === null)
    throw new SluiceError('BAD_FLAG', `${JSON.stringify(text)} is not a rule of a schedule`, {
      hint: 'add the schedule again with --replace',
    })
  const [, calendar = '', day, clock = ''] = found
  return { every: 'period', calendar: parseCalendar(calendar), day: Number(day), minute: minuteOf(clock) }
}

/** @param typed the interval as typed @throws SluiceError BAD_FLAG if a day is not a multiple of the interval */
export function intervalOf(ms: number, typed: string): ScheduleRule {
  const fits = Number.isInteger(ms / MS_OF_MINUTE) && ms > 0 && ms < MS_OF_DAY && MS_OF_DAY % ms === 0
  if (fits) return { every: 'interval', ms }
  throw new SluiceError('BAD_FLAG', `${typed} does not divide a day evenly`, {
    hint: 'use 1m, 5m, 15m, 30m, 1h, 6h or the like, or day, week, month, quarter or year',
  })
}

/** Minutes since midnight. @throws SluiceError BAD_FLAG */
export function minuteOf(clock: string): number {
  const found = /^\s*([01]?\d|2[0-3]):([0-5]\d)\s*$/.exec(clock)
  if (found !== null) return Number(found[1]) * 60 + Number(found[2])
  throw new SluiceError('BAD_FLAG', `${JSON.stringify(clock)} is not a time of day`, { hint: 'write it like 02:30' })
}

/** Text of a rule for users, such as `each quarter from April, day 1 at 02:30 (Europe/Berlin)`. */
export function ruleWords(rule: ScheduleRule): string {
  if (rule.every === 'interval') {
    const minutes = rule.ms / MS_OF_MINUTE
    return minutes % 60 === 0 ? everyText(minutes / 60, 'hour') : everyText(minutes, 'minute')
  }
  const { calendar, day, minute } = rule
  return `${unitWords(calendar)}${dayWords(calendar, day)} at ${clockOf(minute)} (${calendar.zone})`
}

function everyText(count: number, unit: string): string {
  return count === 1 ? `each ${unit}` : `every ${count} ${unit}s`
}

function unitWords({ unit, firstMonth }: CalendarSpec): string {
  const from =
    (unit === 'quarter' || unit === 'year') && firstMonth !== 1 ? ` from ${MONTHS[firstMonth - 1] ?? ''}` : ''
  return `each ${unit}${from}`
}

function dayWords({ unit, firstWeekday }: CalendarSpec, day: number): string {
  if (unit === 'day') return ''
  if (unit === 'week') {
    const meant = day > 0 ? Math.min(day, 7) : Math.max(8 + day, 1)
    return `, on ${WEEKDAYS[(firstWeekday - 1 + meant - 1) % 7] ?? ''}`
  }
  return day === -1 ? ', on its last day' : day < 0 ? `, ${-day - 1} days before its last` : `, on day ${day}`
}

function clockOf(minute: number): string {
  return `${digits(Math.floor(minute / 60), 2)}:${digits(minute % 60, 2)}`
}
