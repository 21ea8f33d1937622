/**
 * A table that is copied by period is covered exactly once, wherever splitting was interrupted, and in the requested
 * order.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { lastBefore } from '../../src/partition/period-marks.ts'
import { ChunkCoverage } from '../../src/engine/copy/plan/covered.ts'
import {
  byPriority,
  comparePeriodTimes,
  gapsOfPeriods,
  partsOfRange,
  periodParts,
} from '../../src/engine/copy/plan/period-cut.ts'
import type { PeriodOptions } from '../../src/model/copy/period-marks.ts'
import type { KeyBound, Range } from '../../src/model/copy/range.ts'
import { valueText } from '../../src/model/calendar/value-text.ts'

type KeyRange = Extract<Range, { by: 'key' }>

const DAY = 86_400_000
const START = Date.parse('2023-01-01T00:00:00Z')

const time = (day: number): string => valueText(START + day * DAY, 'timestamptz')
const bound = (day: number): KeyBound => [lastBefore(time(day), 'timestamptz')]

/** Periods of several days, with gaps between some of them, and slices in some. */
const options = fc
  .array(
    fc.record({ days: fc.integer({ min: 1, max: 30 }), hole: fc.boolean(), slices: fc.integer({ min: 1, max: 3 }) }),
    {
      minLength: 1,
      maxLength: 8,
    },
  )
  .chain((periods) => {
    const marks: PeriodOptions['marks'][number][] = []
    let day = 0
    for (const [at, { days, hole, slices }] of periods.entries()) {
      for (let i = 0; i < slices; i++) {
        const [after = ''] = bound(day + (i * days) / slices)
        marks.push({ after, partition: `p${at}`, label: `P${at}`, ...(slices > 1 ? { slice: `s${i}` } : {}) })
      }
      day += days
      if (!hole && at < periods.length - 1) continue
      marks.push({ after: bound(day)[0] ?? '', partition: null, label: null })
      if (hole) day += 5
    }
    return fc.record({
      wish: fc.nat(periods.length - 1).map((first): PeriodOptions => ({ marks, first: `p${first}` })),
      days: fc.constant(day + 10),
    })
  })

/** Keys of rows, `[time, id]`, ascending. */
const keysOf = (days: number, count: number): readonly KeyBound[] =>
  Array.from({ length: count }, (_, i) => [
    valueText(START + Math.floor(((i - 3) * days * 86_400) / count) * 1000, 'timestamptz'),
    String(i),
  ])

const above = (key: KeyBound, edge: KeyBound | null): boolean => {
  if (edge === null) return true
  const order = comparePeriodTimes(key[0] ?? '', edge[0] ?? '')
  return order > 0 || (order === 0 && edge[1] !== undefined && Number(key[1]) > Number(edge[1]))
}
const within = (key: KeyBound, { after, through }: KeyRange): boolean =>
  above(key, after) && (through === null || !above(key, through))

/** Splits like a store: after this many rows each, with the rest in the last range. */
function cut(range: KeyRange, keys: readonly KeyBound[], rows: number): readonly KeyRange[] {
  const inside = keys.filter((key) => within(key, range))
  const parts: KeyRange[] = []
  let after = range.after
  for (let at = rows - 1; at < inside.length; at += rows) {
    const through = inside[at] ?? null
    parts.push({ by: 'key', after, through })
    after = through
  }
  parts.push({ by: 'key', after, through: range.through })
  return parts
}

const coverOf = (ranges: readonly KeyRange[]): ChunkCoverage => {
  const cover = new ChunkCoverage()
  for (const [at, range] of ranges.entries()) cover.add({ id: at, range })
  return cover
}

describe('periods of a table', () => {
  test('cover it exactly once, however often splitting was interrupted', () => {
    fc.assert(
      fc.property(
        options,
        fc.integer({ min: 1, max: 9 }),
        fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 6 }),
        ({ wish, days }, rows, stops) => {
          const keys = keysOf(days, 40)
          let made: KeyRange[] = []
          for (const stop of [...stops, Infinity]) {
            const next: KeyRange[] = []
            for (const gap of gapsOfPeriods(wish, coverOf(made).mergedRanges)) next.push(...cut(gap, keys, rows))
            made = [...made, ...next.slice(0, stop)]
          }
          const holders = keys.map((key) => made.filter((range) => within(key, range)).length)
          expect(holders).toEqual(keys.map(() => 1))
          expect(gapsOfPeriods(wish, coverOf(made).mergedRanges)).toEqual([])
          const parts = periodParts(wish)
          const misplaced = made.filter((range) => {
            const [part, ...others] = partsOfRange(parts, range)
            if (part === undefined || others.length > 0) return true
            return keys.some((key) => within(key, range) && !within(key, part.range))
          })
          expect(misplaced).toEqual([])
        },
      ),
      { numRuns: 60 },
    )
  })

  test('are ordered: the first, older ones from the newest on, later ones, and then rows outside all periods', () => {
    fc.assert(
      fc.property(options, ({ wish }) => {
        const order = byPriority(wish).map(({ mark }) => mark.partition)
        const numbers = [...new Set(order)].map((name) => (name === null ? null : Number(name.slice(1))))
        const first = Number(wish.first.slice(1))
        const older = numbers.filter((one) => one !== null && one < first)
        const later = numbers.filter((one) => one !== null && one > first)
        expect(numbers.slice(0, 1)).toEqual([first])
        expect(older).toEqual(older.toSorted((a, b) => Number(b) - Number(a)))
        expect(later).toEqual(later.toSorted((a, b) => Number(a) - Number(b)))
        expect(numbers).toEqual([first, ...older, ...later, null])
      }),
    )
  })

  test('are refused if chunks do not begin at bounds of periods', () => {
    const request: PeriodOptions = { marks: [{ after: bound(0)[0] ?? '', partition: 'p', label: null }], first: 'p' }
    const odd: KeyRange = { by: 'key', after: [time(3), '7'], through: null }
    expect(() => gapsOfPeriods(request, coverOf([odd]).mergedRanges)).toThrow('do not match the periods')
  })

  test.each([
    ['timestamptz', '2024-04-01 00:00:00+00', '2024-03-31 23:59:59.999999+00'],
    ['timestamp', '2024-01-01 00:00:00', '2023-12-31 23:59:59.999999'],
    ['date', '2024-03-01', '2024-02-29'],
    ['epoch-seconds', '1711929600', '1711929599'],
    ['epoch-milliseconds', '-1000', '-1001'],
  ] as const)('the last value of a %s before %s is %s', (kind, text, before) => {
    expect(lastBefore(text, kind)).toBe(before)
    expect(comparePeriodTimes(before, text)).toBeLessThan(0)
  })

  test('times BC, infinite times and times after the year 9999 are in the right order', () => {
    const sorted = ['-infinity', '0001-01-01 00:00:00+00', '2024-03-31 23:59:59+00', '2024-03-31 23:59:59.5+00', '10000-01-01 00:00:00+00', 'infinity'] // prettier-ignore
    expect(sorted.toReversed().toSorted(comparePeriodTimes)).toEqual(sorted)
    expect(comparePeriodTimes('0044-03-15 00:00:00+00 BC', '0001-01-01 00:00:00+00')).toBeLessThan(0)
  })
})
