/** When schedules are due: periods of fiscal calendars, wall clocks of zones, and missed times. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DEFAULT_CALENDAR, type CalendarSpec } from '../../src/model/calendar/calendar.ts'
import { offset } from '../../src/model/calendar/zone.ts'
import { dueOf, MOST_CAUGHT_UP } from '../../src/app/share/schedules/due.ts'
import { intervalOf, minuteOf, parseRule, ruleText, ruleWords } from '../../src/app/share/schedules/rule-text.ts'
import { localInstant, newestUntil, occurrencesAfter, type ScheduleRule } from '../../src/app/share/schedules/rule.ts'
import { parseDay } from '../../src/model/calendar/civil.ts'

const at = (iso: string): number => Date.parse(iso)
const rule = (calendar: Partial<CalendarSpec>, day = 1, clock = '02:30'): ScheduleRule => ({
  every: 'period',
  calendar: { ...DEFAULT_CALENDAR, ...calendar },
  day,
  minute: minuteOf(clock),
})

function next(one: ScheduleRule, after: string, count: number): readonly string[] {
  const found: string[] = []
  for (const { period, at: moment } of occurrencesAfter(one, at(after))) {
    found.push(`${period} ${new Date(moment).toISOString()}`)
    if (found.length === count) break
  }
  return found
}

describe('the next times of a rule', () => {
  test('fiscal quarters begin in April, by the clock of Berlin', () => {
    expect(next(rule({ firstMonth: 4, yearOffset: 1, zone: 'Europe/Berlin' }), '2026-11-23T12:00:00Z', 4)).toEqual([
      'Q4-FY27 2027-01-01T01:30:00.000Z',
      'Q1-FY28 2027-04-01T00:30:00.000Z',
      'Q2-FY28 2027-07-01T00:30:00.000Z',
      'Q3-FY28 2027-10-01T00:30:00.000Z',
    ])
  })

  test('the last day of each month is used if the month lacks the day', () => {
    expect(next(rule({ unit: 'month' }, -1, '23:00'), '2024-01-31T23:00:00Z', 2)).toEqual([
      '2024-02 2024-02-29T23:00:00.000Z',
      '2024-03 2024-03-31T23:00:00.000Z',
    ])
    expect(next(rule({ unit: 'month' }, 31, '00:00'), '2024-01-31T00:00:00Z', 1)).toEqual([
      '2024-02 2024-02-29T00:00:00.000Z',
    ])
    expect(next(rule({ unit: 'month' }, -40, '00:00'), '2024-01-31T00:00:00Z', 1)).toEqual([
      '2024-02 2024-02-01T00:00:00.000Z',
    ])
  })

  test('weeks begin on Sunday', () => {
    expect(next(rule({ unit: 'week', firstWeekday: 7 }, 2), '2026-11-23T00:00:00Z', 2)).toEqual([
      '2026-W47 2026-11-23T02:30:00.000Z',
      '2026-W48 2026-11-30T02:30:00.000Z',
    ])
  })

  test('a skipped time runs when the clock is put forward, and a repeated time runs once, the first time', () => {
    const daily = rule({ unit: 'day', zone: 'Europe/Berlin' })
    expect(next(daily, '2026-03-28T12:00:00Z', 2)).toEqual([
      '2026-03-29 2026-03-29T01:00:00.000Z',
      '2026-03-30 2026-03-30T00:30:00.000Z',
    ])
    expect(next(daily, '2026-10-24T12:00:00Z', 2)).toEqual([
      '2026-10-25 2026-10-25T00:30:00.000Z',
      '2026-10-26 2026-10-26T01:30:00.000Z',
    ])
  })

  test('offsets of half an hour, days that begin at one, and missing days are handled', () => {
    expect(next(rule({ unit: 'day', zone: 'Asia/Kathmandu' }, 1, '00:00'), '2026-01-01T00:00:00Z', 1)).toEqual([
      '2026-01-02 2026-01-01T18:15:00.000Z',
    ])
    // Clocks in Cairo went from 0:00 to 1:00 on 2024-04-26.
    expect(new Date(localInstant('Africa/Cairo', parseDay('2024-04-26'), 30)).toISOString()).toBe(
      '2024-04-25T22:00:00.000Z',
    )
    // Samoa had no 2011-12-30.
    expect(new Date(localInstant('Pacific/Apia', parseDay('2011-12-30'), 600)).toISOString()).toBe(
      '2011-12-30T10:00:00.000Z',
    )
  })

  test('intervals are counted from midnight UTC', () => {
    expect(next(intervalOf(15 * 60_000, '15m'), '2026-11-23T12:00:00Z', 2)).toEqual([
      '2026-11-23T12:15Z 2026-11-23T12:15:00.000Z',
      '2026-11-23T12:30Z 2026-11-23T12:30:00.000Z',
    ])
    expect(() => intervalOf(7 * 60_000, '7m')).toThrow(/7m/)
    expect(() => intervalOf(86_400_000, '24h')).toThrow(/24h/)
  })

  test('the times end with the last year of four digits', () => {
    expect(next(rule({ unit: 'year' }), '9996-06-01T00:00:00Z', 9)).toEqual([
      '9997 9997-01-01T02:30:00.000Z',
      '9998 9998-01-01T02:30:00.000Z',
    ])
  })
})

const ZONES = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'Asia/Kathmandu',
  'Australia/Lord_Howe',
  'America/Sao_Paulo',
  'Africa/Cairo',
  'Pacific/Apia',
  'Asia/Gaza',
]
const rules = fc.oneof(
  fc.constantFrom(1, 5, 15, 60, 360).map((minutes) => intervalOf(minutes * 60_000, `${minutes}m`)),
  fc
    .record({
      unit: fc.constantFrom('day', 'week', 'month', 'quarter', 'year' as const),
      zone: fc.constantFrom(...ZONES),
      firstMonth: fc.integer({ min: 1, max: 12 }),
      firstWeekday: fc.integer({ min: 1, max: 7 }),
      day: fc.integer({ min: -35, max: 35 }).filter((day) => day !== 0),
      minute: fc.integer({ min: 0, max: 1439 }),
    })
    .map(({ day, minute, ...calendar }): ScheduleRule => ({
      every: 'period',
      calendar: { ...DEFAULT_CALENDAR, ...calendar },
      day,
      minute,
    })),
)
const moments = fc.integer({ min: at('2011-06-01T00:00:00Z'), max: at('2030-01-01T00:00:00Z') })

test('each period occurs once, in order, and never before the wall clock shows its time', () => {
  fc.assert(
    fc.property(rules, moments, (one, from) => {
      const found = []
      for (const occurrence of occurrencesAfter(one, from)) {
        found.push(occurrence)
        if (found.length === 6) break
      }
      let last = from
      for (const { at: moment } of found) {
        expect(moment).toBeGreaterThan(last)
        last = moment
      }
      expect(new Set(found.map(({ period }) => period)).size).toBe(found.length)
      if (one.every === 'interval') return
      for (const { at: moment } of found) {
        const wall = new Date(moment + offset(one.calendar.zone, moment))
        const shown = wall.getUTCHours() * 60 + wall.getUTCMinutes()
        // The time may be later only if the clock was put forward over it.
        if (shown !== one.minute) expect(isMoved(one.calendar.zone, moment)).toBe(true)
      }
      const [first] = found
      // Searching from any time before it gives the same first occurrence.
      if (first !== undefined) expect(occurrencesAfter(one, first.at - 1).next().value).toEqual(first)
    }),
    { numRuns: 300 },
  )
})

function isMoved(zone: string, moment: number): boolean {
  return offset(zone, moment - 86_400_000) !== offset(zone, moment + 86_400_000)
}

test('the newest occurrence equals the last one of a list', () => {
  fc.assert(
    fc.property(rules, moments, fc.integer({ min: 0, max: 40 * 86_400_000 }), (one, since, ms) => {
      const listed = []
      for (const occurrence of occurrencesAfter(one, since)) {
        if (occurrence.at > since + ms || listed.length > 3000) break
        listed.push(occurrence)
      }
      if (listed.length > 3000) return
      const found = newestUntil(one, since, since + ms)
      expect(found).toEqual(
        listed.length === 0
          ? null
          : { newest: listed.at(-1), before: listed.at(-2) ?? null, first: listed[0], count: listed.length },
      )
    }),
    { numRuns: 200 },
  )
})

test('a rule is read back from its text with the same times', () => {
  fc.assert(
    fc.property(rules, moments, (one, from) => {
      const kept = parseRule(ruleText(one))
      expect(ruleText(kept)).toBe(ruleText(one))
      expect(occurrencesAfter(kept, from).next().value).toEqual(occurrencesAfter(one, from).next().value)
    }),
  )
  expect(() => parseRule('each full moon')).toThrow(/not a rule/)
})

test('rules are printed as text', () => {
  expect(ruleWords(rule({ firstMonth: 4, zone: 'Europe/Berlin' }))).toBe(
    'each quarter from April, on day 1 at 02:30 (Europe/Berlin)',
  )
  expect(ruleWords(rule({ unit: 'week', firstWeekday: 7 }, 2))).toBe('each week, on Monday at 02:30 (UTC)')
  expect(ruleWords(rule({ unit: 'month' }, -1))).toBe('each month, on its last day at 02:30 (UTC)')
  expect(ruleWords(intervalOf(3_600_000, '1h'))).toBe('each hour')
  expect(ruleWords(intervalOf(900_000, '15m'))).toBe('every 15 minutes')
})

describe('due occurrences', () => {
  const daily = rule({ unit: 'day' })
  const since = at('2026-11-20T02:30:00Z')

  test('are none before their time', () => {
    expect(dueOf(daily, 'last', since, at('2026-11-21T02:29:59Z'))).toBeNull()
  })

  test('with last are the newest one, and skipped ones are named', () => {
    expect(dueOf(daily, 'last', since, at('2026-11-23T18:00:00Z'))).toMatchObject({
      run: { period: '2026-11-23' },
      passed: { first: { period: '2026-11-21' }, last: { period: '2026-11-22' }, count: 2 },
      since: at('2026-11-23T02:30:00Z'),
    })
  })

  test('with all are each, the oldest first', () => {
    expect(dueOf(daily, 'all', since, at('2026-11-23T18:00:00Z'))).toEqual({
      run: { period: '2026-11-21', at: at('2026-11-21T02:30:00Z') },
      passed: null,
      since: at('2026-11-21T02:30:00Z'),
    })
    const quarterly = intervalOf(900_000, '15m')
    const due = dueOf(quarterly, 'all', since, since + (MOST_CAUGHT_UP + 7) * 900_000)
    expect(due).toMatchObject({ run: null, passed: { count: 7 }, since: since + 7 * 900_000 })
  })

  test('with none are not more than an hour late', () => {
    expect(dueOf(daily, 'none', since, at('2026-11-21T03:30:00Z'))).toMatchObject({ run: { period: '2026-11-21' } })
    expect(dueOf(daily, 'none', since, at('2026-11-21T03:30:01Z'))).toMatchObject({
      run: null,
      passed: { last: { period: '2026-11-21' }, count: 1 },
    })
  })
})
