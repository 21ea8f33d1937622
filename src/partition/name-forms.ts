/** Forms of a period in partition names: `2024_q2`, `20240401`, `q2_fy25`, `2024w14`, `apr2024`. */
import type { CalendarUnit } from '../model/calendar/calendar.ts'
import { dayText, parseDay } from '../model/calendar/civil.ts'
import type { Period } from '../model/calendar/period.ts'

/** Text of a period in one form. @param label of the period in the calendar @returns null if the form does not apply */
export type NameForm = (period: Period, label: string) => string | null

const SEPARATORS = ['_', '', '-', '.'] as const
/** Separators between the first and the last day of a period. */
const RANGE_SEPARATORS = ['_', '__', '_to_', '-', '--', '.', 'to'] as const
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'] as const

const year: NameForm = ({ from }) => from.slice(0, 4)
const shortYear: NameForm = ({ from }) => from.slice(2, 4)
const month: NameForm = ({ from }) => from.slice(5, 7)
const day: NameForm = ({ from }) => from.slice(8, 10)
const monthName: NameForm = ({ from }) => MONTHS[Number(from.slice(5, 7)) - 1] ?? null

/** Year in a label: `2025` for `Q2-FY25`, and for `2025-Q2`. */
const labelYear: NameForm = (_, label) => {
  const [, digits] = /(?:fy|^)(\d{2,4})/i.exec(label) ?? []
  return digits === undefined ? null : digits.length === 2 ? `20${digits}` : digits
}
const shortLabelYear: NameForm = (period, label) => labelYear(period, label)?.slice(-2) ?? null
/** `fy25` for `Q2-FY25`, and for `2025-Q2`: fiscal years may equal calendar years. */
const fiscalYear: NameForm = (period, label) =>
  /fy\d+/i.exec(label)?.[0].toLowerCase() ?? dayBeforeForm('fy', shortLabelYear)(period, label)
const longFiscalYear = dayBeforeForm('fy', labelYear)
const quarter: NameForm = (_, label) => /q[1-4]/i.exec(label)?.[0].toLowerCase() ?? null
const week: NameForm = (_, label) => /^\d{4}-w(\d\d)$/i.exec(label)?.[1] ?? null

const DAYS: readonly (readonly NameForm[])[] = [
  [year, month, day],
  [shortYear, month, day],
  [day, month, year],
  [year, dayBeforeForm('m', month), dayBeforeForm('d', day)],
  [year, monthName, day],
]
const MONTHS_OF_YEARS: readonly (readonly NameForm[])[] = [
  [year, month],
  [shortYear, month],
  [month, year],
  [year, dayBeforeForm('m', month)],
  [year, monthName],
  [monthName, year],
]
const QUARTERS: readonly (readonly NameForm[])[] = [fiscalYear, longFiscalYear, labelYear, shortLabelYear].flatMap(
  (of) => [
    [of, quarter],
    [quarter, of],
  ],
)
const WEEKS: readonly (readonly NameForm[])[] = [
  [labelYear, dayBeforeForm('w', week)],
  [labelYear, dayBeforeForm('week_', week)],
  [labelYear, week],
]
const YEARS: readonly (readonly NameForm[])[] = [[fiscalYear], [labelYear], [shortLabelYear]]

/** A day may name any period that begins on it; a month may also name a quarter or year that begins with it. */
const PARTS_OF: Readonly<Record<CalendarUnit, readonly (readonly NameForm[])[]>> = {
  day: DAYS,
  week: [...WEEKS, ...DAYS],
  month: [...DAYS, ...MONTHS_OF_YEARS],
  quarter: [...QUARTERS, ...DAYS, ...MONTHS_OF_YEARS],
  year: [...DAYS, ...MONTHS_OF_YEARS, ...YEARS],
}

/** All forms of a period, the more specific and more common ones first. */
export function* formsOf(unit: CalendarUnit): Iterable<NameForm> {
  yield* fromToForms(unit)
  for (const form of plainForms(unit)) yield* [form, upperCaseForm(form), capitalisedForm(form)]
  // Names may contain the upper bound, as in `VALUES LESS THAN`, or the day before it.
  for (const parts of unit === 'day' || unit === 'week' ? DAYS : [...DAYS, ...MONTHS_OF_YEARS]) {
    for (const separator of SEPARATORS) {
      const form = joinedForm(parts, separator)
      yield ({ label, to }) => form({ label, from: to, to }, label)
      yield ({ label, to }) => form({ label, from: dayText(parseDay(to) - 1), to }, label)
    }
  }
}

/** `20261001_20261101`, or with an inclusive second day `20261001_20261031`. */
function* fromToForms(unit: CalendarUnit): Iterable<NameForm> {
  for (const parts of unit === 'day' || unit === 'week' ? DAYS : [...DAYS, ...MONTHS_OF_YEARS]) {
    for (const separator of SEPARATORS) {
      const form = joinedForm(parts, separator)
      for (const between of RANGE_SEPARATORS) {
        for (const less of [0, 1]) {
          yield (period, label) => {
            const { to } = period
            const last = less === 0 ? to : dayText(parseDay(to) - less)
            const [first, second] = [form(period, label), form({ ...period, from: last }, label)]
            return first === null || second === null ? null : `${first}${between}${second}`
          }
        }
      }
    }
  }
}

function* plainForms(unit: CalendarUnit): Iterable<NameForm> {
  for (const parts of PARTS_OF[unit]) for (const separator of SEPARATORS) yield joinedForm(parts, separator)
}

function joinedForm(parts: readonly NameForm[], separator: string): NameForm {
  return (period, label) => {
    const texts = parts.map((part) => part(period, label))
    return texts.includes(null) ? null : texts.join(separator)
  }
}

function dayBeforeForm(letters: string, part: NameForm): NameForm {
  return (period, label) => {
    const text = part(period, label)
    return text === null ? null : `${letters}${text}`
  }
}

function upperCaseForm(form: NameForm): NameForm {
  return (period, label) => form(period, label)?.toUpperCase() ?? null
}

/** The form with a capital letter at the start of each word: `Q2_Fy25`, `2024_Apr`. */
function capitalisedForm(form: NameForm): NameForm {
  return (period, label) => form(period, label)?.replaceAll(/[a-z]+/g, capitalWord) ?? null
}

function capitalWord(word: string): string {
  return `${word.charAt(0).toUpperCase()}${word.slice(1)}`
}
