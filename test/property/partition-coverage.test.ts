/** Coverage of partitions, compared with a reference implementation that counts days one by one. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DEFAULT_CALENDAR, type CalendarSpec, type CalendarUnit } from '../../src/model/calendar/calendar.ts'
import { dayText, parseDay } from '../../src/model/calendar/civil.ts'
import { nextPeriod, periodOf } from '../../src/model/calendar/period.ts'
import { VALUE_KINDS, valueText, type ValueKind } from '../../src/model/calendar/value-text.ts'
import { dayAt, firstInstant, MS_OF_DAY } from '../../src/model/calendar/zone.ts'
import {
  unboundedPartition,
  uncoveredPeriods,
  coveredTo,
  coverageGaps,
  periodsWithin,
  placedPartitions,
  placedPeriod,
} from '../../src/partition/coverage.ts'
import type { RangePartition } from '../../src/model/partition/maintenance-port.ts'
import { SluiceError } from '../../src/shared/errors.ts'
import { partitionsOf, periodsFrom, rangePartition } from '../support/range-partitions.ts'

const UNITS: readonly CalendarUnit[] = ['day', 'week', 'month', 'quarter', 'year']
const specs: fc.Arbitrary<CalendarSpec> = fc.record({
  unit: fc.constantFrom(...UNITS),
  firstMonth: fc.integer({ min: 1, max: 12 }),
  yearOffset: fc.constantFrom(0, 1),
  firstWeekday: fc.integer({ min: 1, max: 7 }),
  zone: fc.constantFrom('UTC', 'Europe/Berlin', 'America/Sao_Paulo', 'Pacific/Apia', 'Asia/Kolkata'),
})

/** 2018-03-01, and the number of days after it that contain ranges. */
const FIRST = 17_591
const LENGTH = 500

/** Ranges of days, adjacent or not, some of them open, ordered by lower bound. */
const ranges = fc
  .tuple(
    fc.array(
      fc
        .tuple(fc.integer({ min: 0, max: LENGTH }), fc.integer({ min: 1, max: 120 }))
        .map(([low, size]) => [low, low + size] as const),
      { maxLength: 9 },
    ),
    fc.boolean(),
    fc.boolean(),
    fc.boolean(),
  )
  .map(([all, begins, ends, apart]) => {
    const sorted = all.toSorted((a, b) => a[0] - b[0] || a[1] - b[1])
    const cut = apart ? sorted.filter(([low], i) => sorted.slice(0, i).every(([, high]) => high <= low)) : sorted
    const days: [number | null, number | null][] = cut.map(([low, high]) => [low, high])
    if (begins) days.unshift([null, days[0]?.[0] ?? 0])
    if (ends) days.push([Math.max(0, ...days.map(([, high]) => high ?? 0)), null])
    return days
  })

type Days = readonly (readonly [number | null, number | null])[]

const kinds = fc.constantFrom(...VALUE_KINDS)

function momentOf(spec: CalendarSpec, kind: ValueKind, day: number): number {
  return kind === 'date' || kind === 'timestamp' ? day * MS_OF_DAY : firstInstant(spec.zone, day)
}

function listed(spec: CalendarSpec, kind: ValueKind, days: Days): readonly RangePartition[] {
  const text = (day: number | null): string | null =>
    day === null ? null : valueText(momentOf(spec, kind, FIRST + day), kind)
  return days.map(([low, high], n) => rangePartition(`p${n}`, text(low), text(high)))
}

const holds = (days: Days, day: number): boolean =>
  days.some(([low, high]) => (low === null || low <= day) && (high === null || high > day))

/** Runs of days without a range, between two days with one. */
function slowGaps(days: Days): readonly (readonly [number, number])[] {
  const gaps: [number, number][] = []
  let [seen, began]: [boolean, number | null] = [days.some(([low]) => low === null), null]
  for (let day = -1; day <= LENGTH + 260; day++) {
    if (holds(days, day)) {
      if (began !== null) gaps.push([began, day])
      seen = true
      began = null
    } else if (seen) began ??= day
  }
  return gaps
}

describe('gaps', () => {
  it('are the days between partitions that are in no partition', () => {
    fc.assert(
      fc.property(specs, kinds, ranges, (spec, kind, days) => {
        // This zone has no 2011-12-30, so days and their numbers do not correspond.
        fc.pre(spec.zone !== 'Pacific/Apia')
        const found = coverageGaps(placedPartitions(listed(spec, kind, days), kind))
        const at = (day: number): number => momentOf(spec, kind, FIRST + day)
        expect(found.map(({ low, high }) => [low, high])).toEqual(slowGaps(days).map(([a, b]) => [at(a), at(b)]))
        for (const { from, to, low, high, before } of found) {
          expect([from, to]).toEqual([valueText(low, kind), valueText(high, kind)])
          expect(before.to).toBe(from)
        }
      }),
      { numRuns: 200 },
    )
  })

  it('contain the periods that are completely inside', () => {
    fc.assert(
      fc.property(
        specs,
        kinds,
        fc.integer({ min: 0, max: 300 }),
        fc.integer({ min: 1, max: 500 }),
        (spec, kind, low, size) => {
          const [gap] = coverageGaps(
            placedPartitions(
              listed(spec, kind, [
                [null, low],
                [low + size, null],
              ]),
              kind,
            ),
          )
          const found = gap === undefined ? [] : periodsWithin(spec, gap, kind)
          const wanted: string[] = []
          const [first, last] = [momentOf(spec, kind, FIRST + low), momentOf(spec, kind, FIRST + low + size)]
          for (let day = FIRST + low; day < FIRST + low + size; day++) {
            const period = periodOf(spec, dayText(day))
            if (period.label === wanted.at(-1)) continue
            const { low: begin, high: end } = placedPeriod(spec, period, kind)
            if (begin >= first && end <= last && begin < end) wanted.push(period.label)
          }
          // More than 400 periods are not listed.
          expect(found.map(({ period }) => period.label)).toEqual(wanted.length > 400 ? [] : wanted)
        },
      ),
      { numRuns: 60 },
    )
  })

  it('outside the years 1 to 9999 contain no periods', () => {
    const spec = { ...DEFAULT_CALENDAR, unit: 'year' as const }
    const all = placedPartitions(
      [rangePartition('a', null, '0044-03-15 BC'), rangePartition('b', '0003-02-01', null)],
      'date',
    )
    expect(
      coverageGaps(all).flatMap((gap) => periodsWithin(spec, gap, 'date').map(({ period }) => period.label)),
    ).toEqual([])
  })
})

describe('end of the current coverage', () => {
  it('is the first day without a partition', () => {
    fc.assert(
      fc.property(specs, kinds, ranges, fc.integer({ min: -5, max: LENGTH + 150 }), (spec, kind, days, today) => {
        fc.pre(spec.zone !== 'Pacific/Apia')
        const found = coveredTo(placedPartitions(listed(spec, kind, days), kind), momentOf(spec, kind, FIRST + today))
        if (!holds(days, today)) {
          expect(found).toBeNull()
          return
        }
        let day = today
        while (day <= LENGTH + 260 && holds(days, day)) day++
        const end = day > LENGTH + 260 ? Infinity : momentOf(spec, kind, FIRST + day)
        expect(found?.high).toBe(end)
      }),
      { numRuns: 200 },
    )
  })
})

describe('coming periods', () => {
  it('are those without any covered day; partly covered ones are reported with their partition', () => {
    fc.assert(
      fc.property(
        specs,
        kinds,
        ranges,
        fc.integer({ min: 0, max: LENGTH }),
        fc.integer({ min: 0, max: 5 }),
        (spec, kind, days, today, ahead) => {
          fc.pre(spec.zone !== 'Pacific/Apia')
          const now = new Date(firstInstant(spec.zone, FIRST + today) + 3_600_000)
          const current = periodOf(spec, dayText(FIRST + today))
          const end = nextPeriod(spec, current, ahead).to
          const begun = days.filter(([low]) => (low ?? -Infinity) < parseDay(current.to) - FIRST)
          const ends = begun.map(([, high]) => high ?? Infinity)
          const last = begun.length === 0 ? Infinity : Math.max(...ends)
          // More than 400 missing days are refused; tested below.
          fc.pre(spec.unit !== 'day' || today + ahead - last < 400)
          const begin =
            Number.isFinite(last) && dayText(FIRST + last) < current.from
              ? periodOf(spec, dayText(FIRST + last))
              : current
          const { missing, overlaps } = uncoveredPeriods(placedPartitions(listed(spec, kind, days), kind), spec, kind, {
            now,
            ahead,
          })
          const [absent, partly]: [string[], string[]] = [[], []]
          for (let period = begin; period.from < end; period = nextPeriod(spec, period)) {
            const held: boolean[] = []
            for (let day = parseDay(period.from); day < parseDay(period.to); day++) held.push(holds(days, day - FIRST))
            if (!held.includes(true)) absent.push(period.label)
            else if (held.includes(false)) partly.push(period.label)
          }
          expect(missing.map(({ period }) => period.label)).toEqual(absent)
          expect([...new Set(overlaps.map(({ period }) => period.period.label))]).toEqual(partly)
          for (const { period, partition } of overlaps) {
            const [one] = placedPartitions([partition], kind)
            expect(one !== undefined && one.low < period.high && one.high > period.low).toBe(true)
          }
        },
      ),
      { numRuns: 150 },
    )
  })

  it('are complete after they were created once', () => {
    fc.assert(
      fc.property(
        specs,
        kinds,
        fc.integer({ min: 0, max: LENGTH }),
        fc.integer({ min: 0, max: 8 }),
        (spec, kind, today, ahead) => {
          const now = new Date(firstInstant(spec.zone, FIRST + today))
          const day = dayText(dayAt(spec.zone, now.getTime()))
          const before = partitionsOf(spec, kind, periodsFrom(spec, day, 1))
          const { missing } = uncoveredPeriods(placedPartitions(before, kind), spec, kind, { now, ahead })
          const all = [...before, ...missing.map(({ period, from, to }) => rangePartition(period.label, from, to))]
          expect(uncoveredPeriods(placedPartitions(all, kind), spec, kind, { now, ahead })).toEqual({
            missing: [],
            overlaps: [],
          })
          expect(coverageGaps(placedPartitions(all, kind))).toEqual([])
        },
      ),
      { numRuns: 300 },
    )
  })

  const month = { ...DEFAULT_CALENDAR, unit: 'month' as const }
  const now = new Date('2024-05-15T12:00:00Z')

  it.each([
    ['none', [], ['2024-05', '2024-06']],
    ['only a default partition', [rangePartition('rest', null, null, true)], ['2024-05', '2024-06']],
    [
      'one that ended before',
      [rangePartition('a', '2024-02-01', '2024-03-01')],
      ['2024-03', '2024-04', '2024-05', '2024-06'],
    ],
    ['one without an end', [rangePartition('a', '2024-02-01', null)], []],
    ['one that ends behind the year 9999', [rangePartition('a', '2024-02-01', '10000-01-01')], []],
    ['infinity as a bound', [rangePartition('a', '2024-02-01', 'infinity')], []],
  ])('of a table with %s', (_, partitions, labels) => {
    const { missing, overlaps } = uncoveredPeriods(placedPartitions(partitions, 'date'), month, 'date', {
      now,
      ahead: 1,
    })
    expect([missing.map(({ period }) => period.label), overlaps]).toEqual([labels, []])
  })

  it('begin at the midnight of the neighbour partition on a day with two midnights', () => {
    const spec = { ...month, zone: 'America/Havana' }
    // PostgreSQL uses the later midnight for '2026-11-01', and for '2020-11-01'.
    const placed = (...all: readonly (readonly [string, string])[]) =>
      placedPartitions(
        all.map(([from, to]) => rangePartition(from, from, to)),
        'timestamptz',
      )
    const coming = (all: ReturnType<typeof placed>, day: string) => {
      const { missing, overlaps } = uncoveredPeriods(all, spec, 'timestamptz', { now: new Date(day), ahead: 1 })
      return [missing.map(({ period, from, to }) => [period.label, from, to]), overlaps]
    }
    const october = placed(['2026-10-01 00:00:00-04', '2026-11-01 00:00:00-05'])
    const made = ['2026-11', '2026-11-01 05:00:00+00', '2026-12-01 05:00:00+00']
    expect(coming(october, '2026-10-15')).toEqual([[made], []])
    const both = placed(
      ['2026-10-01 00:00:00-04', '2026-11-01 00:00:00-05'],
      ['2026-11-01 05:00:00+00', '2026-12-01 05:00:00+00'],
    )
    expect(coming(both, '2026-10-15')).toEqual([[], []])
    const november = placed(
      ['2026-09-01 00:00:00-04', '2026-10-01 00:00:00-04'],
      ['2026-11-01 00:00:00-05', '2026-12-01 00:00:00-05'],
    )
    const before = ['2026-10', '2026-10-01 04:00:00+00', '2026-11-01 05:00:00+00']
    expect(coming(november, '2026-10-15')).toEqual([[before], []])
    const [gap] = coverageGaps(
      placed(
        ['2026-10-01 00:00:00-04', '2026-11-01 00:00:00-05'],
        ['2026-12-01 00:00:00-05', '2027-01-01 00:00:00-05'],
      ),
    )
    expect(gap && periodsWithin(spec, gap, 'timestamptz').map(({ from, to }) => [from, to])).toEqual([made.slice(1)])
    const own = placed(['2026-10-01 00:00:00-04', '2026-11-01 00:00:00-04'])
    expect(coming(own, '2026-10-15')).toEqual([[['2026-11', '2026-11-01 04:00:00+00', '2026-12-01 05:00:00+00']], []])
  })

  it.each([
    [null, '2024-06-01', true],
    ['infinity', '2024-06-01', true],
    ['9999-12-31', '2024-06-10', true],
    ['9999-12-31', '2024-07-01', false],
    ['2024-08-01', '2024-06-01', false],
  ])('are covered by one partition up to %s from %s: %s', (to, from, isTaken) => {
    const all = placedPartitions(
      [rangePartition('a', '2024-05-01', '2024-06-01'), rangePartition('b', from, to)],
      'date',
    )
    expect(unboundedPartition(all, month, 'date', { now, ahead: 1 })?.partition.name.name).toBe(
      isTaken ? 'b' : undefined,
    )
  })

  it.each([
    ['an end long ago', [rangePartition('a', '1900-01-01', '1900-02-01')]],
    ['an end before the year 1', [rangePartition('a', null, '0044-03-15 BC')]],
  ])('are refused if there are more than 400: %s', (_, partitions) => {
    const attempt = (): unknown =>
      uncoveredPeriods(placedPartitions(partitions, 'date'), month, 'date', { now, ahead: 1 })
    expect(attempt).toThrow(SluiceError)
    expect(attempt).toThrow(/too many periods .*: more than 400 of one month each/)
  })
})
