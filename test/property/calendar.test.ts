/**
 * The calendar compared with slow reference implementations: days counted one by one, and clocks read minute by minute.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cutOff, isOlder, parseAge } from '../../src/model/calendar/age.ts'
import { boundsFor, periodOfBounds } from '../../src/model/calendar/bounds.ts'
import { calendarText, parseCalendar } from '../../src/model/calendar/calendar-text.ts'
import type { CalendarSpec, CalendarUnit } from '../../src/model/calendar/calendar.ts'
import { civilDay } from '../../src/model/run/civil-day.ts'
import { dayNumber, dayText, FIRST_DAY, LAST_DAY, parseDay } from '../../src/model/calendar/civil.ts'
import { duePeriods, periodOfValue } from '../../src/model/calendar/due.ts'
import { nextPeriod, periodAt, periodOf, periodsBetween, type Period } from '../../src/model/calendar/period.ts'
import { VALUE_KINDS } from '../../src/model/calendar/value-text.ts'
import { dayAt, firstInstant } from '../../src/model/calendar/zone.ts'

const units: readonly CalendarUnit[] = ['day', 'week', 'month', 'quarter', 'year']

/** All time zones, and more often those with rare clock changes. */
const zones = [
  ...Intl.supportedValuesOf('timeZone'),
  ...Array.from({ length: 40 }, () => [
    'UTC',
    'America/Sao_Paulo',
    'Asia/Beirut',
    'America/Havana',
    'Pacific/Apia',
  ]).flat(),
]

const specs: fc.Arbitrary<CalendarSpec> = fc.record({
  unit: fc.constantFrom(...units),
  firstMonth: fc.integer({ min: 1, max: 12 }),
  yearOffset: fc.oneof(fc.constantFrom(0, 1, -1), fc.integer({ min: -2000, max: 2000 })),
  firstWeekday: fc.integer({ min: 1, max: 7 }),
  zone: fc.constantFrom(...zones),
})

/** Days that stay in the years 1 to 9999 with every offset, also 300 years later. */
const days = fc
  .oneof(
    fc.integer({ min: dayNumber({ year: 2003, month: 1, day: 1 }), max: dayNumber({ year: 7690, month: 1, day: 1 }) }),
    fc.integer({ min: dayNumber({ year: 2003, month: 1, day: 1 }), max: dayNumber({ year: 2040, month: 1, day: 1 }) }),
  )
  .map(dayText)

/** Days of years in which clocks were changed. */
const recent = fc
  .integer({ min: dayNumber({ year: 1880, month: 1, day: 1 }), max: dayNumber({ year: 2040, month: 1, day: 1 }) })
  .map(dayText)

const kinds = fc.constantFrom(...VALUE_KINDS)

describe('days', () => {
  it('have the numbers that counting gives, from the first to the last', () => {
    const lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    let [number, wrong] = [FIRST_DAY, 0]
    for (let year = 1; year <= 9999; year++) {
      const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
      for (let month = 1; month <= 12; month++) {
        const length = (lengths[month - 1] ?? 0) + (month === 2 && leap ? 1 : 0)
        for (let day = 1; day <= length; day++, number++) {
          const back = civilDay(number)
          if (dayNumber({ year, month, day }) !== number) wrong++
          if (back.year !== year || back.month !== month || back.day !== day) wrong++
        }
      }
    }
    expect(wrong).toBe(0)
    expect(number - 1).toBe(LAST_DAY)
    expect(dayNumber({ year: 1970, month: 1, day: 1 })).toBe(0)
  })
})

/** The reference implementation: counts days and notes each begin of a period. */
function* diary(spec: CalendarSpec, firstYear: number, lastYear: number): Generator<Period> {
  const lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
  // The day before the year 1 was a Sunday.
  let weekday = 7
  let open: { label: string; from: string; days: number } | null = null
  for (let year = 1; year <= lastYear; year++) {
    const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
    if (year < firstYear) {
      weekday = ((weekday - 1 + (leap ? 366 : 365)) % 7) + 1
      continue
    }
    for (let month = 1; month <= 12; month++) {
      const length = (lengths[month - 1] ?? 0) + (month === 2 && leap ? 1 : 0)
      for (let day = 1; day <= length; day++) {
        weekday = (weekday % 7) + 1
        const since = (month - spec.firstMonth + 12) % 12
        const begins = {
          day: true,
          week: weekday === spec.firstWeekday,
          month: day === 1,
          quarter: day === 1 && since % 3 === 0,
          year: day === 1 && since === 0,
        }[spec.unit]
        const text = `${two(year, 4)}-${two(month)}-${two(day)}`
        if (begins) {
          if (open !== null) yield { label: open.label, from: open.from, to: text }
          open = { label: spokenLabel(spec, year, month, day, leap), from: text, days: 0 }
        }
      }
    }
  }
}

function spokenLabel(spec: CalendarSpec, year: number, month: number, day: number, leap: boolean): string {
  const fiscal = spec.firstMonth !== 1 || spec.yearOffset !== 0
  const named = year + spec.yearOffset - (month < spec.firstMonth ? 1 : 0)
  const yearName = !fiscal
    ? two(named, 4)
    : /^20\d\d$/.test(String(named))
      ? `FY${two(named % 100)}`
      : `FY${two(named, 4)}`
  const quarter = `Q${Math.floor(((month - spec.firstMonth + 12) % 12) / 3) + 1}`
  if (spec.unit === 'day') return `${two(year, 4)}-${two(month)}-${two(day)}`
  if (spec.unit === 'month') return `${two(year, 4)}-${two(month)}`
  if (spec.unit === 'year') return yearName
  if (spec.unit === 'quarter') return fiscal ? `${quarter}-${yearName}` : `${yearName}-${quarter}`
  // A week belongs to the year with four or more of its days; its number is one more than the weeks of that year before
  // it.
  const before = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334]
  const dayOfYear = (before[month - 1] ?? 0) + (leap && month > 2 ? 1 : 0) + day
  const length = leap ? 366 : 365
  if (length - dayOfYear + 1 < 4) return `${two(year + 1, 4)}-W01`
  let week = 1
  for (let start = dayOfYear; start - 7 + 3 >= 1; start -= 7) week++
  return `${two(year, 4)}-W${two(week)}`
}

function two(number: number, width = 2): string {
  return String(number).padStart(width, '0')
}

describe('periods', () => {
  it('are those of the reference implementation', () => {
    fc.assert(
      fc.property(specs, fc.integer({ min: 2003, max: 7900 }), (spec, year) => {
        const written = Array.from(diary(spec, year, year + 3))
        const [first, last] = [written[0], written.at(-1)]
        if (first === undefined || last === undefined) throw new Error('an empty diary')
        expect(Array.from(periodsBetween(spec, first.from, last.to))).toEqual(written)
      }),
      { numRuns: 80 },
    )
  })

  it('contain each day once, and are found by their labels', () => {
    fc.assert(
      fc.property(specs, days, (spec, day) => {
        const period = periodOf(spec, day)
        expect(period.from <= day && day < period.to).toBe(true)
        expect(periodAt(spec, period.label)).toEqual(period)
        expect(periodAt(spec, period.label.toLowerCase())).toEqual(period)
        expect(periodOf(spec, period.from)).toEqual(period)
        expect(periodOf(spec, dayText(parseDay(period.to) - 1))).toEqual(period)
        expect(periodOf(spec, period.to)).toEqual(nextPeriod(spec, period))
      }),
    )
  })

  it('follow each other without a gap, forwards and backwards', () => {
    fc.assert(
      fc.property(specs, days, fc.integer({ min: 0, max: 300 }), (spec, day, n) => {
        const period = periodOf(spec, day)
        const later = nextPeriod(spec, period, n)
        expect(nextPeriod(spec, later, -n)).toEqual(period)
        const listed = Array.from(periodsBetween(spec, period.from, later.to))
        expect(listed).toHaveLength(n + 1)
        expect(new Set(listed.map(({ label }) => label)).size).toBe(n + 1)
        expect(listed.slice(1).map(({ from }) => from)).toEqual(listed.slice(0, -1).map(({ to }) => to))
        expect(listed[n]).toEqual(later)
      }),
    )
  })

  it('are equal after the calendar was printed and parsed', () => {
    fc.assert(
      fc.property(specs, (spec) => {
        expect(parseCalendar(calendarText(spec))).toEqual(spec)
      }),
    )
  })
})

const CLOCKS = new Map<string, Intl.DateTimeFormat>()

/** `YYYY-MM-DD HH:MM:SS` on the local clock of a zone; only for years AD. */
function shown(zone: string, moment: number): string {
  const known = CLOCKS.get(zone)
  const clock = known ?? new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' })
  if (known === undefined) CLOCKS.set(zone, clock)
  return clock.format(moment)
}

/** Reads the clock minute by minute until it shows the day or a later one, and then second by second. */
function watched(zone: string, day: string): number {
  let minute = Date.parse(`${day}T00:00:00Z`) - 16 * 3_600_000
  while (shown(zone, minute) < day) minute += 60_000
  let second = minute - 59_000
  while (shown(zone, second) < day) second += 1000
  return second
}

describe('the first moment of a day', () => {
  it('is the first second at which the clock shows the day', () => {
    fc.assert(
      fc.property(fc.constantFrom(...zones), recent, (zone, day) => {
        expect(firstInstant(zone, parseDay(day))).toBe(watched(zone, day))
      }),
      { numRuns: 120 },
    )
  })

  it.each([
    ['America/Sao_Paulo', '2018-11-04'],
    ['America/Sao_Paulo', '2018-02-18'],
    ['Asia/Beirut', '2024-03-31'],
    ['Asia/Beirut', '2023-10-29'],
    ['America/Havana', '2020-11-01'],
    ['America/Havana', '2020-03-08'],
    ['America/St_Johns', '2010-11-06'],
    ['America/St_Johns', '2010-11-07'],
    ['America/St_Johns', '2010-11-08'],
    ['America/St_Johns', '2010-03-14'],
    ['Pacific/Apia', '2011-12-30'],
    ['Pacific/Apia', '2011-12-31'],
    ['America/St_Johns', '1919-05-06'],
    ['America/Toronto', '1919-03-31'],
    ['Pacific/Kwajalein', '1993-08-21'],
    ['Africa/Cairo', '2023-04-28'],
    ['Asia/Tehran', '2022-03-22'],
    ['America/Juneau', '1867-10-18'],
    ['America/Juneau', '1867-10-19'],
    ['America/Juneau', '1867-10-20'],
    ['Asia/Manila', '1844-12-31'],
    ['Europe/Amsterdam', '1937-07-01'],
    ['Africa/Monrovia', '1972-01-07'],
  ])('is correct in %s on %s, too', (zone, day) => {
    const first = firstInstant(zone, parseDay(day))
    expect(first).toBe(watched(zone, day))
    expect(dayAt(zone, first - 1)).toBeLessThan(parseDay(day))
    expect(dayAt(zone, first)).toBeGreaterThanOrEqual(parseDay(day))
  })

  it('and the next one bound all times of a day', () => {
    fc.assert(
      fc.property(fc.constantFrom(...zones), recent, fc.integer({ min: 0, max: 86_399_999 }), (zone, text, ms) => {
        const moment = Date.parse(`${text}T00:00:00Z`) + ms
        const day = dayAt(zone, moment)
        expect(firstInstant(zone, day) <= moment && moment < firstInstant(zone, day + 1)).toBe(true)
      }),
      { numRuns: 300 },
    )
  })
})

describe('bounds', () => {
  it('of neighbours are equal texts, and depend only on the period', () => {
    fc.assert(
      fc.property(specs, fc.oneof(days, recent), kinds, (anySpec, day, kind) => {
        const spec = { ...anySpec, yearOffset: anySpec.yearOffset % 2 }
        const period = periodOf(spec, day)
        const bounds = boundsFor(spec, period, kind)
        expect(boundsFor(spec, nextPeriod(spec, period), kind).from).toBe(bounds.to)
        expect(boundsFor(spec, nextPeriod(spec, period, -1), kind).to).toBe(bounds.from)
        if (bounds.from === bounds.to) return
        expect(periodOfBounds(spec, bounds.from, bounds.to, kind)).toEqual(period)
        expect(periodOfValue(spec, bounds.from, kind)).toEqual(period)
        expect(periodOfBounds(spec, bounds.from, boundsFor(spec, nextPeriod(spec, period), kind).to, kind)).toBeNull()
      }),
      { numRuns: 300 },
    )
  })

  it('contain a value exactly if its period is this one', () => {
    fc.assert(
      fc.property(specs, recent, fc.integer({ min: 0, max: 86_399 }), (anySpec, day, second) => {
        const spec = { ...anySpec, yearOffset: 1 }
        const moment = Date.parse(`${day}T00:00:00Z`) / 1000 + second
        const text = new Date(moment * 1000).toISOString()
        const { from, to } = boundsFor(spec, periodOfValue(spec, text, 'timestamptz'), 'epoch-seconds')
        expect(Number(from) <= moment && moment < Number(to)).toBe(true)
        expect(periodOfValue(spec, String(moment), 'epoch-seconds')).toEqual(periodOfValue(spec, text, 'timestamptz'))
      }),
      { numRuns: 300 },
    )
  })
})

describe('what is due', () => {
  it('is every period that has ended before the first day that is kept, and no other', () => {
    const ages = fc
      .tuple(fc.integer({ min: 0, max: 40 }), fc.constantFrom('d', 'w', 'm', 'q', 'y'))
      .map(([count, unit]) => `${count}${unit}`)
    fc.assert(
      fc.property(specs, recent, recent, ages, (anySpec, smallest, today, age) => {
        const spec: CalendarSpec = { ...anySpec, yearOffset: 1 }
        const now = new Date(firstInstant(spec.zone, parseDay(today)))
        const kept = cutOff(spec, parseAge(age), now)
        // Between the first day that is kept and the current period there are as many whole periods as the age states.
        const counted: CalendarSpec = { ...spec, unit: parseAge(age).unit }
        const present = periodOf(counted, dayText(dayAt(spec.zone, now.getTime())))
        expect(periodOf(counted, kept).from).toBe(kept)
        expect(Array.from(periodsBetween(counted, kept, present.from))).toHaveLength(parseAge(age).count)
        const due = Array.from(duePeriods(spec, smallest, 'date', kept))
        const all = Array.from(periodsBetween(spec, periodOf(spec, smallest).from, today < kept ? kept : today))
        expect(due).toEqual(all.filter((period) => isOlder(period, kept)))
      }),
      { numRuns: 25 },
    )
  })
})
