/** Names of partitions as users type them: each means one period, or is refused with all that it may mean. */
import { describe, expect, test } from 'vitest'
import { askedFor } from '../../src/archive/work/named-partitions.ts'
import { labelNamed, nearestText } from '../../src/archive/plan/label-named.ts'
import { DEFAULT_CALENDAR, type CalendarSpec } from '../../src/model/calendar/calendar.ts'
import { SluiceError } from '../../src/shared/errors.ts'

const calendar = (more: Partial<CalendarSpec>): CalendarSpec => ({ ...DEFAULT_CALENDAR, ...more })
const PLAIN = calendar({})
/** Calendar of the guide: Q2-FY25 is April to June 2024. */
const GUIDE = calendar({ yearOffset: 1 })
/** FY25 begins in October 2024; its quarters have the bounds of calendar quarters, under other numbers. */
const OCTOBER = calendar({ firstMonth: 10, yearOffset: 1 })
/** Quarters whose bounds are none of a calendar quarter. */
const FEBRUARY = calendar({ firstMonth: 2 })

const named = (spec: CalendarSpec, text: string, known: readonly string[] = []): string => {
  try {
    return labelNamed(spec, text, known)
  } catch (thrown) {
    if (!(thrown instanceof SluiceError)) throw thrown
    return `${thrown.code} ${thrown.message} [${thrown.hint ?? ''}]`
  }
}

test('a value is found in any JSON spelling, but an exact match comes first', () => {
  const known = ['"a\\u000ab"', '"\\"a\\""']
  expect(labelNamed(null, '"a\\nb"', known)).toBe(known[0])
  expect(labelNamed(null, '"a"', known)).toBe(known[1])
  expect(labelNamed(null, 'a', known)).toBe('a')
})

describe('quarters', () => {
  test.each([
    '2024-Q2',
    '2024q2',
    '2024-q2',
    '2024 Q2',
    'q2 2024',
    'Q2-2024',
    '2024-2',
    '2/2024',
    'fy24-q2',
    'Q2FY2024',
    '24q2',
    '2q24',
    'quarter 2 2024',
    ' 2024Q2 ',
  ])('of the year: %s', (text) => expect(named(PLAIN, text)).toBe('2024-Q2'))
  test.each(['q2-fy2025', 'Q2 FY25', 'fy25-q2', 'FY25Q2', 'fy2025 q2', 'q2fy25', '2q fy25', 'q2_fy25', 'Q2-FY25'])(
    'of a fiscal year: %s',
    (text) => expect(named(GUIDE, text)).toBe('Q2-FY25'),
  )
  test('a year that may be calendar or fiscal means two quarters, and is refused with both', () => {
    for (const text of ['2024q2', '2024-2', 'Q2 2024']) {
      expect(named(GUIDE, text)).toBe(
        `BAD_FLAG ${JSON.stringify(text)} is ambiguous: it may be Q2-FY24 (2023-04-01 .. 2023-06-30) or Q2-FY25 (2024-04-01 .. 2024-06-30) [write Q2-FY24 or Q2-FY25]`,
      )
    }
    expect(named(OCTOBER, '2024q2')).toContain(
      'Q2-FY24 (2024-01-01 .. 2024-03-31) or Q3-FY24 (2024-04-01 .. 2024-06-30)',
    )
    expect(named(FEBRUARY, '2024q2')).toBe('Q2-FY24')
  })
  test('a text that names no quarter is returned unchanged', () => {
    for (const text of ['2024-5', '2024-04', 'bookings_0', 'q5-fy25', 'fy25', '2024-Q2; DROP', '', '2024-Q2-Q3']) {
      expect(named(PLAIN, text)).toBe(text)
    }
    expect(named(GUIDE, 'Q1-FY99999')).toBe('Q1-FY99999')
  })
})

test.each<[CalendarSpec['unit'], readonly string[], string]>([
  [
    'month',
    ['2024-04', '2024-4', '2024/04', '202404', 'apr 2024', 'April-2024', '2024apr', '04.2024', '2024m4', 'apr24'],
    '2024-04',
  ],
  ['week', ['2024-W09', '2024w9', '2024-9', 'w9 2024', 'wk9-2024', '2024 week 9'], '2024-W09'],
  [
    'day',
    [
      '2024-04-01',
      '2024/4/1',
      '20240401',
      '1 apr 2024',
      'April 1 2024',
      '2024-apr-1',
      '01/01/2024'.replace('01/01', '1-apr'),
    ],
    '2024-04-01',
  ],
  ['year', ['2024', 'fy24', 'FY2024', '24'], '2024'],
])('%s', (unit, texts, label) => {
  for (const text of texts) expect(named(calendar({ unit }), text), text).toBe(label)
})

test('ambiguous days and fiscal years are refused with both meanings', () => {
  expect(named(calendar({ unit: 'day' }), '3/4/2024')).toContain('2024-04-03 (2024-04-03 .. 2024-04-03) or 2024-03-04')
  expect(named(calendar({ unit: 'day' }), '13/4/2024')).toBe('2024-04-13')
  expect(named(calendar({ unit: 'day' }), '4/4/2024')).toBe('2024-04-04')
  expect(named(calendar({ unit: 'year', yearOffset: 1 }), '2024')).toContain('FY24 (2023-01-01 .. 2023-12-31) or FY25')
  expect(named(calendar({ unit: 'year', firstMonth: 4 }), '2024')).toBe('FY24')
  expect(named(calendar({ unit: 'week' }), '2023w53')).toBe('2023w53')
})

test('a known label takes precedence over the calendar; parts of a period keep their number', () => {
  expect(named(GUIDE, '2024-Q2', ['2024-Q2'])).toBe('2024-Q2')
  expect(named(GUIDE, 'BOOKINGS_old', ['bookings_old'])).toBe('bookings_old')
  expect(named(PLAIN, 'x', ['X', 'x'])).toBe('x')
  const parts = [
    { label: '2024-Q2', period: '2024-Q2', part: 1 },
    { label: '2024-Q2.part2', period: '2024-Q2', part: 2 },
  ]
  expect(askedFor(PLAIN, '2024q2.Part2', parts)).toEqual({ label: '2024-Q2.part2', period: '2024-Q2', whole: false })
  expect(askedFor(PLAIN, '2024-Q2.part2', parts)).toEqual({ label: '2024-Q2.part2', period: '2024-Q2', whole: false })
  expect(askedFor(PLAIN, 'q2 24', parts)).toEqual({ label: '2024-Q2', period: '2024-Q2', whole: true })
})

test('the nearest known label is suggested', () => {
  expect(nearestText('Q3-FY25', ['Q2-FY25', 'Q1-FY19'])).toBe(' (Q2-FY25?)')
  expect(nearestText('2024-Q2', [])).toBe('')
  expect(nearestText('zzz', ['2024-Q2'])).toBe('')
})
