/** Rule of a schedule, from options of `schedule add` and `print`. */
import { CALENDAR_UNITS, DEFAULT_CALENDAR, type CalendarUnit } from '../../model/calendar/calendar.ts'
import type { SCHEDULE_RULE_OPTIONS } from '../../app/share/operations/schedule-add/declaration.ts'
import { intervalOf, minuteOf } from '../../app/share/schedules/rule-text.ts'
import type { ScheduleRule } from '../../app/share/schedules/rule.ts'
import { SluiceError } from '../../shared/errors.ts'
import { givenText, type Arguments } from '../parse/arguments.ts'
import { calendarOptions } from './calendar-flags.ts'
import { parseDuration } from './duration.ts'

type RuleOption = Exclude<(typeof SCHEDULE_RULE_OPTIONS)[number], 'every'>

/** Options that affect a rule or the names of its periods, by unit. Parts of a day are counted from midnight UTC. */
const APPLICABLE_OPTIONS: Readonly<Record<CalendarUnit | 'part', readonly RuleOption[]>> = {
  part: [],
  day: ['at', 'zone'],
  week: ['at', 'zone', 'day', 'first-weekday'],
  month: ['at', 'zone', 'day'],
  quarter: ['at', 'zone', 'day', 'first-month', 'year-offset'],
  year: ['at', 'zone', 'day', 'first-month', 'year-offset'],
}

/**
 * @param defaults of the config file; settings that do not apply to the rule are ignored
 * @throws SluiceError BAD_FLAG, also for an option that does not apply to the rule
 */
export function scheduleRule(args: Arguments, defaults: Parameters<typeof calendarOptions>[1]): ScheduleRule {
  const every = givenText(args, 'every') ?? 'day'
  const unit = CALENDAR_UNITS.find((word) => word === every.toLowerCase())
  const at = givenText(args, 'at')
  const day = dayOf(givenText(args, 'day') ?? '1')
  refuseInapplicable(args, every, unit ?? 'part', day)
  if (unit === undefined)
    return intervalOf(every.toLowerCase() === 'hour' ? 3_600_000 : parseDuration('--every', every), every)
  const calendar = { ...DEFAULT_CALENDAR, ...calendarOptions(args, defaults), unit }
  return { every: 'period', calendar, day, minute: minuteOf(at ?? '00:00') }
}

/** Refuses options that do not apply to the unit. Except for `--at`, an option with its default value is accepted. */
function refuseInapplicable(args: Arguments, every: string, unit: CalendarUnit | 'part', day: number): void {
  // Ignore the config file. Every option is validated, even if it does not apply.
  const { firstMonth, yearOffset, firstWeekday, zone } = { ...DEFAULT_CALENDAR, ...calendarOptions(args, {}) }
  const said: Readonly<Record<RuleOption, boolean>> = {
    at: givenText(args, 'at') !== undefined,
    day: day !== 1,
    'first-month': firstMonth !== DEFAULT_CALENDAR.firstMonth,
    'year-offset': yearOffset !== DEFAULT_CALENDAR.yearOffset,
    'first-weekday': firstWeekday !== DEFAULT_CALENDAR.firstWeekday,
    zone: zone !== DEFAULT_CALENDAR.zone,
  }
  const options = Object.keys(said) as RuleOption[]
  const unheeded = options.find((option) => said[option] && !APPLICABLE_OPTIONS[unit].includes(option))
  if (unheeded === undefined) return
  const units = CALENDAR_UNITS.filter((one) => APPLICABLE_OPTIONS[one].includes(unheeded))
  throw new SluiceError('BAD_FLAG', `--every ${every} does not accept --${unheeded}`, {
    ...(unit === 'part' ? { reason: 'parts of a day are counted from midnight UTC' } : {}),
    hint: `remove --${unheeded}, or use --every ${units.join(', ')}`,
  })
}

/** @throws SluiceError BAD_FLAG */
function dayOf(word: string): number {
  const day = Number(word)
  if (/^-?\d{1,3}$/.test(word) && day !== 0 && Math.abs(day) <= 366) return day
  throw new SluiceError('BAD_FLAG', `--day ${word} is not a day of a period`, {
    hint: 'write 1 for the first day of the period, -1 for the last one',
  })
}
