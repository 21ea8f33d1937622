/** The calendar found from partition bounds gives the same next bounds as the calendar that made them. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { boundsFor } from '../../src/model/calendar/bounds.ts'
import { DEFAULT_CALENDAR, type CalendarSpec, type CalendarUnit } from '../../src/model/calendar/calendar.ts'
import { nextPeriod } from '../../src/model/calendar/period.ts'
import { VALUE_KINDS, type ValueKind } from '../../src/model/calendar/value-text.ts'
import { deriveCalendar } from '../../src/partition/table-calendar.ts'
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

/** Bounds of the period after the last partition, in the calendar found from the bounds. */
function nextBounds(
  partitions: Parameters<typeof deriveCalendar>[0],
  kind: ValueKind,
  zones: readonly string[],
): readonly [string, string] | null {
  const found = deriveCalendar(partitions, kind, zones, []).found
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
  it('has the same next period as the calendar that made the bounds', () => {
    fc.assert(
      fc.property(specs, kinds, days, fc.integer({ min: 1, max: 20 }), (spec, kind, day, count) => {
        const partitions = partitionsOf(spec, kind, periodsFrom(spec, day, count))
        fc.pre(partitions.length > 0)
        expect(nextBounds(partitions, kind, [spec.zone, 'UTC'])).toEqual(trueNext(spec, kind, day, count))
      }),
      { numRuns: 200 },
    )
  })

  it('is found after partitions of another calendar, and before open and default partitions', () => {
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

  it('is found even if partitions between are missing', () => {
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
    'is that of all partitions, even if the newest ones alone also fit the preferred one: %s',
    (zone) => {
      // Partitions of a summer and the following months; the newest twelve days fit UTC as well.
      const spec = { ...day, zone }
      const partitions = partitionsOf(spec, kind, periodsFrom(spec, '2023-06-01', 260))
      expect(deriveCalendar(partitions, kind, ['UTC', zone], []).found?.spec.zone).toBe(zone)
    },
  )

  it('is the preferred one if all bounds fit both', () => {
    const spec = { ...day, zone: 'Europe/London' }
    const partitions = partitionsOf(spec, kind, periodsFrom(spec, '2024-01-01', 40))
    expect(deriveCalendar(partitions, kind, ['UTC', 'Europe/London'], []).found?.spec.zone).toBe('UTC')
    expect(deriveCalendar(partitions, kind, ['Europe/London', 'UTC'], []).found?.spec.zone).toBe('Europe/London')
  })

  it('is the first given one for a column without a time zone', () => {
    const partitions = partitionsOf(day, 'timestamp', periodsFrom(day, '2024-03-28', 9))
    expect(deriveCalendar(partitions, 'timestamp', ['Europe/Berlin', 'UTC'], []).found?.spec.zone).toBe('Europe/Berlin')
  })
})

describe('a zone that is not given', () => {
  it.each([
    ['Asia/Kathmandu', 'day'],
    ['Australia/Lord_Howe', 'quarter'],
  ] as const)('is found if the bounds fit no other: %s', (zone, unit) => {
    const spec = { ...DEFAULT_CALENDAR, unit, zone }
    const partitions = partitionsOf(spec, 'timestamptz', periodsFrom(spec, '2025-05-01', 14))
    const { found, zones } = deriveCalendar(partitions, 'timestamptz', ['UTC'], knownZones())
    expect([found?.spec.zone.replace('Katmandu', 'Kathmandu'), found?.spec.unit, zones]).toEqual([zone, unit, []])
  })

  it.each([
    ['Europe/Berlin', 'quarter', '2026-04-01', 3],
    ['America/New_York', 'day', '2026-11-01', 5],
    // Bounds in a winter alone would fit UTC.
    ['Europe/London', 'month', '2026-05-01', 10],
  ] as const)('is ambiguous if several zones fit: %s', (zone, unit, day, count) => {
    const spec = { ...DEFAULT_CALENDAR, unit, zone }
    const partitions = partitionsOf(spec, 'timestamptz', periodsFrom(spec, day, count))
    const { found, zones } = deriveCalendar(partitions, 'timestamptz', ['UTC'], knownZones())
    expect(found).toBeNull()
    expect(zones).toContain(zone)
    expect(zonesText(zones).split(/, | or /)).toHaveLength(3)
    expect(zonesText(zones)).toContain(zone)
    expect(deriveCalendar(partitions, 'timestamptz', [zone, 'UTC'], knownZones()).found?.spec.zone).toBe(zone)
  })

  it('is not searched for numbers that are row ids', () => {
    const partitions = [rangePartition('a', '0', '1000000'), rangePartition('b', '1000000', '2000000')]
    expect(deriveCalendar(partitions, 'epoch-seconds', ['UTC'], knownZones())).toEqual({ found: null, zones: [] })
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
    expect(deriveCalendar(partitions, 'date', ['UTC'], []).found).toBeNull()
  })
})
