/** Reads period names as users write them: `q2-fy2025`, `2024q2`, `Apr 2024`, `2024-w9`. They can be ambiguous. */
import type { CalendarSpec } from './calendar.ts'
import { dayNumber, dayText, isLabelled, realDay } from './civil.ts'
import { ordinalAt } from './label.ts'
import { ordinalOf, periodStart } from './ordinal.ts'
import { periodOfNumber, type Period } from './period.ts'

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const LONG_MONTHS = [
  'january',
  'february',
  'march',
  'april',
  'may',
  'june',
  'july',
  'august',
  'september',
  'october',
  'november',
  'december',
]
const WORDS: Readonly<Record<string, string>> = { quarter: 'q', week: 'w', wk: 'w', month: 'm', sept: 'sep' }

/**
 * Q: one digit from 1 to 4. Y: year of 2 or 4 digits. F: fiscal year. N: 1 or 2 digits. L: 4 digits. B: name of a
 * month. D: 8 digits. C: 6 digits. q, w, m: the words quarter, week and month.
 */
type Kind = 'Q' | 'Y' | 'F' | 'N' | 'L' | 'B' | 'D' | 'C' | 'q' | 'w' | 'm'
type Token = { readonly text: string; readonly kinds: readonly Kind[] }

/**
 * Every period that a name may mean; none if it is not a name of a period. The calendar's own spelling is never
 * ambiguous.
 * @param text in any case, with blanks, hyphens, dots, slashes or nothing between its parts
 */
export function periodReadings(spec: CalendarSpec, text: string): readonly Period[] {
  const own = ordinalAt(spec, text.trim())
  const starts = own === null ? startsOf(spec, tokensOf(text)) : [periodStart(spec, own)]
  const found = new Map<string, Period>()
  for (const start of starts) {
    // Only periods of the years 1 to 9999 have names.
    const period = isLabelled(start) ? periodOfNumber(spec, start) : null
    if (period !== null) found.set(period.label, period)
  }
  return [...found.values()]
}

function tokensOf(text: string): readonly Token[] {
  const trimmed = text.trim().toLowerCase()
  if (!/^[a-z0-9\s._/-]+$/.test(trimmed)) return []
  const tokens: Token[] = []
  const parts = trimmed.match(/[a-z]+|\d+/g) ?? []
  for (let i = 0; i < parts.length; i++) {
    const word = WORDS[parts[i] ?? ''] ?? parts[i] ?? ''
    const next = parts[i + 1] ?? ''
    if (word === 'fy' && /^(?:\d{4}|\d\d)$/.test(next)) {
      tokens.push({ text: next, kinds: ['F'] })
      i++
    } else tokens.push({ text: word, kinds: kindsOf(word) })
  }
  return tokens
}

function kindsOf(word: string): readonly Kind[] {
  if (word === 'q' || word === 'w' || word === 'm') return [word]
  if (MONTHS.includes(word) || LONG_MONTHS.includes(word)) return ['B']
  if (!/^\d+$/.test(word)) return []
  switch (word.length) {
    case 1:
      return /[1-4]/.test(word) ? ['Q', 'N'] : ['N']
    case 2:
      return ['N', 'Y']
    case 4:
      return ['L', 'Y']
    case 6:
      return ['C']
    case 8:
      return ['D']
    default:
      return []
  }
}

/** First days of the periods that the tokens may mean. */
function startsOf(spec: CalendarSpec, tokens: readonly Token[]): readonly number[] {
  const is = (...kinds: readonly Kind[]): boolean =>
    tokens.length === kinds.length && kinds.every((kind, i) => tokens[i]?.kinds.includes(kind) === true)
  const at = (i: number): string => tokens[i]?.text ?? ''
  switch (spec.unit) {
    case 'quarter':
      if (is('Q', 'F') || is('Q', 'L')) return quarters(spec, tokens[1], at(0))
      if (is('F', 'Q') || is('L', 'Q')) return quarters(spec, tokens[0], at(1))
      if (is('q', 'Q', 'F') || is('q', 'Q', 'Y')) return quarters(spec, tokens[2], at(1))
      if (is('Q', 'q', 'F') || is('Q', 'q', 'Y')) return quarters(spec, tokens[2], at(0))
      if (is('F', 'q', 'Q') || is('Y', 'q', 'Q')) return quarters(spec, tokens[0], at(2))
      return []
    case 'year':
      return is('F') || is('Y') ? years(spec, tokens[0]) : []
    case 'month':
      if (is('L', 'N') || is('L', 'B')) return day(at(0), at(1))
      if (is('N', 'L') || is('B', 'Y')) return day(at(1), at(0))
      if (is('L', 'm', 'N')) return day(at(0), at(2))
      return is('C') ? day(at(0).slice(0, 4), at(0).slice(4)) : []
    case 'week':
      if (is('L', 'w', 'N')) return week(spec, at(0), at(2))
      if (is('w', 'N', 'L')) return week(spec, at(2), at(1))
      return is('L', 'N') ? week(spec, at(0), at(1)) : []
    case 'day':
      if (is('L', 'N', 'N') || is('L', 'B', 'N')) return day(at(0), at(1), at(2))
      if (is('D')) return day(at(0).slice(0, 4), at(0).slice(4, 6), at(0).slice(6))
      if (is('N', 'B', 'L')) return day(at(2), at(1), at(0))
      if (is('B', 'N', 'L')) return day(at(2), at(0), at(1))
      // Day first or month first: both readings count.
      return is('N', 'N', 'L') ? [...day(at(2), at(1), at(0)), ...day(at(2), at(0), at(1))] : []
  }
}

function yearOf(text: string): number {
  return Number(text) + (text.length === 2 ? 2000 : 0)
}

/** A year without `FY` means a fiscal year, and also a calendar year if a period begins with this calendar quarter. */
function quarters(spec: CalendarSpec, year: Token | undefined, quarter: string): readonly number[] {
  const number = yearOf(year?.text ?? '')
  const fiscal = periodStart(spec, (number - spec.yearOffset) * 4 + Number(quarter) - 1)
  if (year?.kinds.includes('F') === true) return [fiscal]
  return [fiscal, ...alignedStart(spec, number, (Number(quarter) - 1) * 3 + 1)]
}

function years(spec: CalendarSpec, year: Token | undefined): readonly number[] {
  const number = yearOf(year?.text ?? '')
  const fiscal = periodStart(spec, number - spec.yearOffset)
  return year?.kinds.includes('F') === true ? [fiscal] : [fiscal, ...alignedStart(spec, number, 1)]
}

/** The first day of a month, if a period begins with it. */
function alignedStart(spec: CalendarSpec, year: number, month: number): readonly number[] {
  const first = dayNumber({ year, month, day: 1 })
  return periodStart(spec, ordinalOf(spec, first)) === first ? [first] : []
}

function week(spec: CalendarSpec, year: string, number: string): readonly number[] {
  const ordinal = ordinalAt(spec, `${year}-W${number.padStart(2, '0')}`)
  return ordinal === null ? [] : [periodStart(spec, ordinal)]
}

function day(year: string, month: string, dayOfMonth = '1'): readonly number[] {
  const named = Math.max(MONTHS.indexOf(month), LONG_MONTHS.indexOf(month)) + 1
  const found = realDay(yearOf(year), named === 0 ? Number(month) : named, Number(dayOfMonth))
  return found === null ? [] : [found]
}

/** First and last day of a period, as text: `2024-04-01 .. 2024-06-30`. */
export function daysText({ from, to }: Period): string {
  const last = dayNumber({ year: Number(to.slice(0, 4)), month: Number(to.slice(5, 7)), day: Number(to.slice(8)) }) - 1
  return `${from} .. ${dayText(last)}`
}
