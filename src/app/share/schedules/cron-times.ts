/** Converts a rule to times of systemd.time(7) and crontab(5). A rule that they cannot express exactly is refused. */
import { MS_OF_DAY } from '../../../model/calendar/zone.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { ScheduleRule } from './rule.ts'
import { digits } from '../../../shared/figures.ts'

const WEEKDAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun']
const MS_OF_MINUTE = 60_000
/** Every month has the days up to this one. */
const SHORTEST_MONTH_DAYS = 28

type OfPeriod = Extract<ScheduleRule, { every: 'period' }>

/** Values of `OnCalendar=`; together they match all times of the rule. @throws SluiceError BAD_FLAG */
export function systemdTimes(rule: ScheduleRule): readonly string[] {
  if (rule.every === 'interval') return minutesOfDay(rule.ms).map((minute) => `*-*-* ${clock(minute)}:00 UTC`)
  const { calendar, day } = rule
  const time = `${clock(rule.minute)}:00 ${calendar.zone}`
  if (calendar.unit === 'day') return [`*-*-* ${time}`]
  if (calendar.unit === 'week') return [`${WEEKDAYS[weekday(rule)] ?? ''} *-*-* ${time}`]
  if (calendar.unit === 'month' && day > SHORTEST_MONTH_DAYS) {
    // The last day of shorter months, as `--day` defines it.
    if (day >= 31) return [`*-*~01 ${time}`]
    return [`*-01,03,04,05,06,07,08,09,10,11,12-${day} ${time}`, `*-02~01 ${time}`]
  }
  refuseUnsafeDay(rule)
  const months = day > 0 ? firstMonths(rule) : lastMonths(rule)
  const named = months.length === 12 ? '*' : months.map((month) => digits(month, 2)).join(',')
  return [`*-${named}${day > 0 ? `-${digits(day, 2)}` : `~${digits(-day, 2)}`} ${time}`]
}

/** The five fields of a line, in time zone `zone`. @throws SluiceError BAD_FLAG for last days, which crontab lacks */
export function crontabTimes(rule: ScheduleRule): { readonly fields: string; readonly zone: string } {
  if (rule.every === 'interval') return { fields: intervalFields(rule.ms), zone: 'UTC' }
  const { calendar, day, minute } = rule
  const time = `${minute % 60} ${Math.floor(minute / 60)}`
  const { zone } = calendar
  if (calendar.unit === 'day') return { fields: `${time} * * *`, zone }
  if (calendar.unit === 'week') return { fields: `${time} * * ${(weekday(rule) + 1) % 7}`, zone }
  refuseUnsafeDay(rule)
  if (day < 0)
    throw inexpressibleError(
      'a crontab cannot count days from the end of a month',
      'use --as systemd, or a day from 1 to 28',
    )
  const months = firstMonths(rule)
  return { fields: `${time} ${day} ${months.length === 12 ? '*' : months.join(',')} *`, zone }
}

function intervalFields(ms: number): string {
  const minutes = ms / MS_OF_MINUTE
  if (minutes < 60 && 60 % minutes === 0) return `${minutes === 1 ? '*' : `*/${minutes}`} * * * *`
  if (minutes % 60 === 0) return `0 ${minutes === 60 ? '*' : `*/${minutes / 60}`} * * *`
  throw inexpressibleError(
    'a crontab cannot express this interval',
    'use one that divides an hour, or whole hours, or --as systemd',
  )
}

function minutesOfDay(ms: number): readonly number[] {
  return Array.from({ length: MS_OF_DAY / ms }, (_, turn) => (turn * ms) / MS_OF_MINUTE)
}

/** Day of the week on which the rule is due; 0 is Monday. */
function weekday({ calendar, day }: OfPeriod): number {
  const meant = day > 0 ? Math.min(day, 7) : Math.max(8 + day, 1)
  return (calendar.firstWeekday - 1 + meant - 1) % 7
}

function firstMonths({ calendar: { unit, firstMonth } }: OfPeriod): readonly number[] {
  const step = unit === 'month' ? 1 : unit === 'quarter' ? 3 : 12
  const from = unit === 'month' ? 1 : firstMonth
  return Array.from({ length: 12 / step }, (_, turn) => ((from - 1 + turn * step) % 12) + 1).toSorted((a, b) => a - b)
}

function lastMonths(rule: OfPeriod): readonly number[] {
  const months = rule.calendar.unit === 'month' ? 0 : rule.calendar.unit === 'quarter' ? 2 : 11
  return firstMonths(rule)
    .map((month) => ((month - 1 + months) % 12) + 1)
    .toSorted((a, b) => a - b)
}

function refuseUnsafeDay({ day }: OfPeriod): void {
  if (Math.abs(day) <= SHORTEST_MONTH_DAYS) return
  throw inexpressibleError(
    `day ${day} falls into a different month each time`,
    `give a day from 1 to ${SHORTEST_MONTH_DAYS}, or from -${SHORTEST_MONTH_DAYS} to -1`,
  )
}

function clock(minute: number): string {
  return `${digits(Math.floor(minute / 60), 2)}:${digits(minute % 60, 2)}`
}

function inexpressibleError(message: string, hint: string): SluiceError {
  return new SluiceError('BAD_FLAG', message, { hint })
}
