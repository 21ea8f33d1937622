/** Flags of the calendar: kind of period, and required age. */
import {
  CALENDAR_UNITS,
  EPOCHS,
  type CalendarSpec,
  type CalendarUnit,
  type Epoch,
} from '../../model/calendar/calendar.ts'
import { isZone } from '../../model/calendar/zone.ts'
import { SluiceError } from '../../shared/errors.ts'
import { given, givenCount, givenText, type Arguments } from '../parse/arguments.ts'

/** Calendar settings of the config file. */
type CalendarDefaults = {
  readonly calendar?: CalendarUnit | undefined
  readonly 'first-month'?: string | number | undefined
  readonly 'year-offset'?: number | undefined
  readonly 'first-weekday'?: string | number | undefined
  readonly zone?: string | undefined
  readonly 'older-than'?: string | undefined
}

const MONTHS = 'january february march april may june july august september october november december'.split(' ')
const WEEKDAYS = 'monday tuesday wednesday thursday friday saturday sunday'.split(' ')

/**
 * Calendar settings from flags and config file; only those that are set.
 * @throws SluiceError BAD_FLAG
 */
export function calendarOptions(args: Arguments, defaults: CalendarDefaults): Partial<CalendarSpec> {
  const unit = givenText(args, 'calendar') ?? defaults.calendar
  const month = givenText(args, 'first-month') ?? defaults['first-month']?.toString()
  const weekday = givenText(args, 'first-weekday') ?? defaults['first-weekday']?.toString()
  const zone = givenText(args, 'zone') ?? defaults.zone
  return {
    ...given(
      'unit',
      CALENDAR_UNITS.find((word) => word === unit),
    ),
    ...given('firstMonth', month === undefined ? undefined : ordinal('--first-month', month, MONTHS)),
    ...given('yearOffset', givenCount(args, 'year-offset', -100, 100) ?? defaults['year-offset']),
    ...given('firstWeekday', weekday === undefined ? undefined : ordinal('--first-weekday', weekday, WEEKDAYS)),
    ...given('zone', zone === undefined ? undefined : zoneOf(zone)),
  }
}

/** Value of `--epoch`; the parser has checked it. */
export function epochIn(args: Arguments): Epoch | undefined {
  const said = givenText(args, 'epoch')
  return EPOCHS.find((one) => one === said)
}

/**
 * Age in whole periods; their unit may differ from the calendar's.
 * @throws SluiceError BAD_FLAG
 */
export function ageIn(args: Arguments, option: string, defaults: CalendarDefaults): string | undefined {
  const text = givenText(args, option) ?? defaults['older-than']
  if (text === undefined) return undefined
  const compact = text.replaceAll(' ', '').toLowerCase()
  if (/^\d{1,5}[dwmqy]$/.test(compact)) return compact
  throw new SluiceError('BAD_FLAG', `--${option} ${text} is not a number of periods`, {
    hint: 'write it like 8q (quarters), 24m (months), 52w, 365d or 7y',
  })
}

/** Parses a number from 1 up, a name, or the first three letters of a name. @throws SluiceError BAD_FLAG */
function ordinal(flagName: string, text: string, names: readonly string[]): number {
  const word = text.trim().toLowerCase()
  const number = /^\d{1,2}$/.test(word)
    ? Number(word)
    : names.findIndex((name) => name === word || name.slice(0, 3) === word) + 1
  if (number >= 1 && number <= names.length) return number
  throw new SluiceError('BAD_FLAG', `${flagName} takes 1 to ${names.length} or a name, not ${text}`, {
    hint: `names are ${names.join(', ')}`,
  })
}

/** @throws SluiceError BAD_FLAG */
function zoneOf(text: string): string {
  if (isZone(text)) return text
  throw new SluiceError('BAD_FLAG', `--zone ${text} is not a time zone`, {
    hint: 'write it like Europe/Berlin, America/New_York or UTC',
  })
}
