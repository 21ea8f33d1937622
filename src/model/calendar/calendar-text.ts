/** Text form of a calendar, for users and for the ledger: `quarter(first-month=1,year-offset=1,zone=UTC)`. */
import { SluiceError } from '../../shared/errors.ts'
import { DEFAULT_CALENDAR, type CalendarSpec, type CalendarUnit } from './calendar.ts'
import { isZone } from './zone.ts'

const UNITS: readonly CalendarUnit[] = ['day', 'week', 'month', 'quarter', 'year']
const OPTIONS = ['first-month', 'year-offset', 'first-weekday', 'zone'] as const
const HINT =
  'write day, week, month, quarter or year, with options such as quarter(first-month=4,year-offset=1,zone=UTC)'

type Option = (typeof OPTIONS)[number]

/** Options always written, even with default values: the ledger may be read by programs with other defaults. */
const OWN_OPTIONS: Readonly<Record<CalendarUnit, readonly Option[]>> = {
  day: ['zone'],
  week: ['first-weekday', 'zone'],
  month: ['zone'],
  quarter: ['first-month', 'year-offset', 'zone'],
  year: ['first-month', 'year-offset', 'zone'],
}

/**
 * Parses a text of a calendar; options may be omitted. Every unit accepts all options: an age in quarters needs
 * first-month in any calendar.
 * @throws SluiceError BAD_FLAG
 */
export function parseCalendar(text: string): CalendarSpec {
  const found = /^\s*([a-z]+)\s*(?:\(([^()]*)\)\s*)?$/i.exec(text)
  const unit = UNITS.find((name) => name === found?.[1]?.toLowerCase())
  if (found === null || unit === undefined) throw calendarError(`${JSON.stringify(text)} is not a calendar`, HINT)
  const given = parseOptions(found[2] ?? '')
  return checkedCalendar({
    unit,
    firstMonth: wholeNumber(given.get('first-month'), DEFAULT_CALENDAR.firstMonth),
    yearOffset: wholeNumber(given.get('year-offset'), DEFAULT_CALENDAR.yearOffset),
    firstWeekday: wholeNumber(given.get('first-weekday'), DEFAULT_CALENDAR.firstWeekday),
    zone: given.get('zone') ?? DEFAULT_CALENDAR.zone,
  })
}

/** Checks the options of a calendar, and normalises its zone name. @throws SluiceError BAD_FLAG */
export function checkedCalendar({ unit, firstMonth, yearOffset, firstWeekday, zone }: CalendarSpec): CalendarSpec {
  return {
    unit,
    firstMonth: numberWithin('first-month', firstMonth, 1, 12),
    yearOffset: numberWithin('year-offset', yearOffset, -9998, 9998),
    firstWeekday: numberWithin('first-weekday', firstWeekday, 1, 7),
    zone: zoneName(zone),
  }
}

/** The canonical text of a calendar; reversed by `parseCalendar`. @throws SluiceError BAD_FLAG if it is invalid */
export function calendarText(calendar: CalendarSpec): string {
  const spec = checkedCalendar(calendar)
  const written = OPTIONS.filter(
    (option) =>
      OWN_OPTIONS[spec.unit].includes(option) || optionOf(spec, option) !== optionOf(DEFAULT_CALENDAR, option),
  )
  return `${spec.unit}(${written.map((option) => `${option}=${optionOf(spec, option)}`).join(',')})`
}

function optionOf(spec: CalendarSpec, option: Option): string {
  switch (option) {
    case 'first-month':
      return String(spec.firstMonth)
    case 'year-offset':
      return String(spec.yearOffset)
    case 'first-weekday':
      return String(spec.firstWeekday)
    case 'zone':
      return spec.zone
  }
}

function parseOptions(text: string): ReadonlyMap<Option, string> {
  const given = new Map<Option, string>()
  if (text.trim() === '') return given
  for (const part of text.split(',')) {
    const at = part.indexOf('=')
    const name = part.slice(0, at === -1 ? part.length : at).trim()
    const option = OPTIONS.find((known) => known === name.toLowerCase())
    if (option === undefined) {
      throw calendarError(`a calendar has no option ${JSON.stringify(name)}`, `the options are ${OPTIONS.join(', ')}`)
    }
    if (at === -1) throw calendarError(`the option ${option} of a calendar has no value`, `write ${option}=…`)
    if (given.has(option)) throw calendarError(`the option ${option} of a calendar is given twice`, 'write it once')
    given.set(option, part.slice(at + 1).trim())
  }
  return given
}

/** The number that the text has; `otherwise` if there is no text; NaN if the text is not a whole number. */
function wholeNumber(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise
  return /^[+-]?\d{1,4}$/.test(text) ? Number(text) : Number.NaN
}

function numberWithin(option: Option, number: number, least: number, most: number): number {
  if (!Number.isInteger(number) || number < least || number > most) {
    throw calendarError(
      `this ${option} of a calendar is not valid`,
      `${option} is a whole number from ${least} to ${most}`,
    )
  }
  // Turns `-0` into `0`.
  return number + 0
}

/** Returns a zone name in its usual case. An alias stays as typed: the primary name may change over the years. */
function zoneName(text: string): string {
  if (text.toUpperCase() === 'UTC') return 'UTC'
  // An offset is not a zone: it has no daylight saving time.
  if (!/^[a-z]/i.test(text) || isAbbreviation(text) || !isZone(text)) {
    throw calendarError(
      `there is no time zone ${JSON.stringify(text)}`,
      'give the name of a time zone, such as Europe/Berlin or UTC',
    )
  }
  const spelled = new Intl.DateTimeFormat('en', { timeZone: text }).resolvedOptions().timeZone
  return spelled.toLowerCase() === text.toLowerCase() ? spelled : text
}

/**
 * True for names that other programs read differently: IST is India, Israel or Ireland. ICU accepts more names than
 * IANA lists. EET and WET before 1997 differ between editions of the IANA list.
 */
function isAbbreviation(text: string): boolean {
  return /^systemv\//i.test(text) || (/^[a-z]{3}$/i.test(text) && !/^(?:gmt|uct)$/i.test(text))
}

function calendarError(message: string, hint: string): SluiceError {
  return new SluiceError('BAD_FLAG', message, { hint })
}
