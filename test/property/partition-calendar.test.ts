/** The calendar that bounds tell: whatever calendar they were made by, the next bounds are the same. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { boundsFor } from '../../src/model/calendar/bounds.ts'
import { DEFAULT_CALENDAR, type CalendarSpec, type CalendarUnit } from '../../src/model/calendar/calendar.ts'
import { nextPeriod } from '../../src/model/calendar/period.ts'
import { VALUE_KINDS, type ValueKind } from '../../src/model/calendar/value-text.ts'
import { calendarOf, learnCalendar } from '../../src/partition/table-calendar.ts'
import { knownZones } from '../../src/model/calendar/zone.ts'
import { zonesText } from '../../src/partition/zones.ts'
import { partitionsOf, periodsFrom, rangePartition } from '../support/range-partitions.ts'

const UNITS: readonly CalendarUnit[] = ['day', 'week', 'month', 'quarter', 'year']
const ZONES = [
  'UTC',
  'Europe/Berlin',
  'Europe/London',
  'America/New_York',
  'America/Sao_Paulo',
  'Asia/Kolkata',
  'Asia/Beirut',
  'Australia/Lord_Howe',
  'Pacific/Apia',
  'America/Havana',
]

const specs: fc.Arbitrary<CalendarSpec> = fc.record({
  unit: fc.constantFrom(...UNITS),
  firstMonth: fc.integer({ min: 1, max: 12 }),
  yearOffset: fc.constantFrom(-1, 0, 1),
  firstWeekday: fc.integer({ min: 1, max: 7 }),
  zone: fc.constantFrom(...ZONES),
})
const kinds = fc.constantFrom(...VALUE_KINDS)
const days = fc
  .date({ min: new Date('1998-01-01'), max: new Date('2038-01-01'), noInvalidDate: true })
  .map((date) => date.toISOString().slice(0, 10))

/** Lower and upper bound of what comes behind the last of them, in the calendar that they are found to have. */
function nextBounds(
  partitions: Parameters<typeof calendarOf>[0],
  kind: ValueKind,
  zones: readonly string[],
): readonly [string, string] | null {
  const found = calendarOf(partitions, kind, zones)
  const last = found?.of.at(-1)
  if (found === null || last === undefined) return null
  const { from, to } = boundsFor(found.spec, nextPeriod(found.spec, last.period), kind)
  return [from, to]
}

function trueNext(spec: CalendarSpec, kind: ValueKind, day: string, count: number): readonly [string, string] {
  const { from, to } = boundsFor(spec, periodsFrom(spec, day, count + 1)[count] ?? never(), kind)
  return [from, to]
}

function never(): never {
  throw new Error('no period')
}

describe('the calendar of bounds', () => {
  it('goes on as the calendar does that they were made by', () => {
    fc.assert(
      fc.property(specs, kinds, days, fc.integer({ min: 1, max: 20 }), (spec, kind, day, count) => {
        const partitions = partitionsOf(spec, kind, periodsFrom(spec, day, count))
        fc.pre(partitions.length > 0)
        expect(nextBounds(partitions, kind, [spec.zone, 'UTC'])).toEqual(trueNext(spec, kind, day, count))
      }),
      { numRuns: 200 },
    )
  })

  it('goes on after another cadence, and behind partitions that are open or hold everything else', () => {
    fc.assert(
      fc.property(specs, specs, kinds, days, fc.integer({ min: 2, max: 14 }), (older, newer, kind, day, count) => {
        const spec = { ...newer, zone: older.zone }
        const partitions = partitionsOf(spec, kind, periodsFrom(spec, day, count))
        const begin = partitions[0]?.from ?? null
        fc.pre(partitions.length >= 2)
        const before = partitionsOf(older, kind, periodsFrom(older, '1990-05-01', 3), (_, n) => `old ${n}`)
        const whole = [
          rangePartition('history', null, before[0]?.from ?? null),
          ...before,
          rangePartition('between', before.at(-1)?.to ?? null, begin),
          ...partitions,
          rangePartition('endless', partitions.at(-1)?.to ?? null, null),
          rangePartition('rest', null, null, true),
        ]
        expect(nextBounds(whole, kind, [spec.zone])).toEqual(trueNext(spec, kind, day, count))
      }),
      { numRuns: 100 },
    )
  })

  it('is found whatever is missing in between', () => {
    fc.assert(
      fc.property(
        specs,
        kinds,
        days,
        fc.array(fc.boolean(), { minLength: 12, maxLength: 30 }),
        (spec, kind, day, kept) => {
          const all = partitionsOf(spec, kind, periodsFrom(spec, day, kept.length + 1))
          const partitions = all.filter((_, n) => kept[n] ?? true)
          fc.pre(all.length === kept.length + 1)
          expect(nextBounds(partitions, kind, [spec.zone])).toEqual(trueNext(spec, kind, day, kept.length + 1))
        },
      ),
      { numRuns: 200 },
    )
  })
})

describe('the zone of bounds', () => {
  const kind: ValueKind = 'timestamptz'
  const day = { ...DEFAULT_CALENDAR, unit: 'day' as const }

  it.each(['Europe/London', 'Africa/Casablanca', 'Atlantic/Canary'])(
    'is that of all partitions, where the newest alone would as well lie in the one that is preferred: %s',
    (zone) => {
      // A summer and a winter that is not over; where summer time is, the newest twelve days say UTC as well.
      const spec = { ...day, zone }
      const partitions = partitionsOf(spec, kind, periodsFrom(spec, '2023-06-01', 260))
      expect(calendarOf(partitions, kind, ['UTC', zone])?.spec.zone).toBe(zone)
    },
  )

  it('is the preferred one where they all lie in both', () => {
    const spec = { ...day, zone: 'Europe/London' }
    const partitions = partitionsOf(spec, kind, periodsFrom(spec, '2024-01-01', 40))
    expect(calendarOf(partitions, kind, ['UTC', 'Europe/London'])?.spec.zone).toBe('UTC')
    expect(calendarOf(partitions, kind, ['Europe/London', 'UTC'])?.spec.zone).toBe('Europe/London')
  })

  it('is the first one for a column that shows what a clock on a wall does', () => {
    const partitions = partitionsOf(day, 'timestamp', periodsFrom(day, '2024-03-28', 9))
    expect(calendarOf(partitions, 'timestamp', ['Europe/Berlin', 'UTC'])?.spec.zone).toBe('Europe/Berlin')
  })
})

describe('a zone that nobody named', () => {
  it.each([
    ['Asia/Kathmandu', 'day'],
    ['Australia/Lord_Howe', 'quarter'],
  ] as const)('is learned where the bounds fit no other: %s', (zone, unit) => {
    const spec = { ...DEFAULT_CALENDAR, unit, zone }
    const partitions = partitionsOf(spec, 'timestamptz', periodsFrom(spec, '2025-05-01', 14))
    const { found, zones } = learnCalendar(partitions, 'timestamptz', ['UTC'], knownZones())
    expect([found?.spec.zone.replace('Katmandu', 'Kathmandu'), found?.spec.unit, zones]).toEqual([zone, unit, []])
  })

  it.each([
    ['Europe/Berlin', 'quarter', '2026-04-01', 3],
    ['America/New_York', 'day', '2026-11-01', 5],
    // A winter alone would be one of UTC.
    ['Europe/London', 'month', '2026-05-01', 10],
  ] as const)('is asked for where several fit: %s', (zone, unit, day, count) => {
    const spec = { ...DEFAULT_CALENDAR, unit, zone }
    const partitions = partitionsOf(spec, 'timestamptz', periodsFrom(spec, day, count))
    const { found, zones } = learnCalendar(partitions, 'timestamptz', ['UTC'], knownZones())
    expect(found).toBeNull()
    expect(zones).toContain(zone)
    expect(zonesText(zones).split(/, | or /)).toHaveLength(3)
    expect(zonesText(zones)).toContain(zone)
    expect(learnCalendar(partitions, 'timestamptz', [zone, 'UTC'], knownZones()).found?.spec.zone).toBe(zone)
  })

  it('is not looked for among numbers that number rows', () => {
    const partitions = [rangePartition('a', '0', '1000000'), rangePartition('b', '1000000', '2000000')]
    expect(learnCalendar(partitions, 'epoch-seconds', ['UTC'], knownZones())).toEqual({ found: null, zones: [] })
  })
})

describe('no calendar', () => {
  it.each([
    ['nothing', []],
    ['only a default partition', [rangePartition('rest', null, null, true)]],
    ['one that is open', [rangePartition('all', null, '2024-01-01')]],
    ['one that is no period', [rangePartition('a', '2024-01-01', '2024-03-01')]],
    [
      'ten days each',
      [rangePartition('a', '2024-01-01', '2024-01-11'), rangePartition('b', '2024-01-11', '2024-01-21')],
    ],
    [
      'a quarter behind years',
      [rangePartition('a', '2022-01-01', '2023-01-01'), rangePartition('b', '2023-01-01', '2023-04-01')],
    ],
    ['bounds that are no times', [rangePartition('a', 'x', 'y'), rangePartition('b', 'y', 'z')]],
  ])('is found in %s', (_, partitions) => {
    expect(calendarOf(partitions, 'date', ['UTC'])).toBeNull()
  })
})
