/**
 * Slice numbers mean the same days as counting day by day, and a chunk is taken exactly if it may contain a row of
 * these days.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { boundsFor } from '../../src/model/calendar/bounds.ts'
import { DEFAULT_CALENDAR, type CalendarSpec } from '../../src/model/calendar/calendar.ts'
import { valueText, type ValueKind } from '../../src/model/calendar/value-text.ts'
import { comparePeriodTimes } from '../../src/engine/copy/plan/period-cut.ts'
import { mayContain } from '../../src/engine/copy/plan/period-cut.ts'
import { limitToSpan } from '../../src/engine/copy/table/start-table.ts'
import { chosenSlices, periodMarks } from '../../src/partition/period-marks.ts'
import type { TimeRange } from '../../src/model/copy/period-marks.ts'
import type { KeyBound, Range } from '../../src/model/copy/range.ts'
import { partitionsOf, periodsFrom } from '../support/range-partitions.ts'

const DAY = 86_400_000
const UNITS = ['week', 'month'] as const

const cases = fc.record({
  unit: fc.constantFrom('quarter' as const, 'month' as const, 'year' as const),
  slices: fc.constantFrom(...UNITS),
  firstMonth: fc.integer({ min: 1, max: 12 }),
  firstWeekday: fc.integer({ min: 1, max: 7 }),
  kind: fc.constantFrom<ValueKind>('date', 'timestamp', 'timestamptz', 'epoch-seconds', 'epoch-milliseconds'),
  start: fc
    .date({ min: new Date('1999-01-01'), max: new Date('2037-01-01'), noInvalidDate: true })
    .map((date) => date.toISOString().slice(0, 10)),
  which: fc.nat(2),
  from: fc.integer({ min: 1, max: 60 }),
  more: fc.nat(8),
})

const within = (value: string, { after, through }: TimeRange): boolean =>
  comparePeriodTimes(value, after) > 0 && (through === null || comparePeriodTimes(value, through) <= 0)

/**
 * For each day of a period its slice number: a new slice begins on each first weekday, or each first day of a month.
 */
function walked(
  { firstWeekday }: Pick<CalendarSpec, 'firstWeekday'>,
  unit: (typeof UNITS)[number],
  from: string,
  to: string,
): readonly (readonly [at: number, slice: number])[] {
  const days: (readonly [number, number])[] = []
  let slice = 1
  for (let at = Date.parse(from); at < Date.parse(to); at += DAY) {
    const day = new Date(at)
    const begins = unit === 'week' ? (day.getUTCDay() + 6) % 7 === firstWeekday - 1 : day.getUTCDate() === 1
    if (begins && days.length > 0) slice++
    days.push([at, slice])
  }
  return days
}

describe('numbers of slices', () => {
  test('are the same days of the first period as counted day by day', () => {
    fc.assert(
      fc.property(cases, ({ unit, slices, firstMonth, firstWeekday, kind, start, which, from, more }) => {
        const spec: CalendarSpec = { ...DEFAULT_CALENDAR, unit, firstMonth, firstWeekday }
        const periods = periodsFrom(spec, start, 3)
        const partitions = partitionsOf(spec, kind, periods)
        const first = periods[which]
        if (first === undefined) throw new Error('three periods')
        const options = periodMarks({
          newTable: { table: { name: 't' }, partitions },
          kind,
          spec,
          slices,
          first: first.label,
          now: 0,
        })
        const days = walked(spec, slices, first.from, first.to)
        const count = days.at(-1)?.[1] ?? 0
        const through = from + more
        const choose = (): ReturnType<typeof chosenSlices> => chosenSlices(options, { from, through })
        if (through > count) {
          expect(choose).toThrow(`has ${count} slices`)
          return
        }
        const { span, of, period } = choose()
        expect([of, period]).toEqual([count, first.label])
        // Includes the last second before midnight, and days of the adjacent periods.
        const off = kind === 'date' ? [0] : [0, DAY - 1000]
        for (const [at, slice] of days)
          for (const late of off)
            expect(within(valueText(at + late, kind), span), `${first.label} ${new Date(at).toISOString()}`).toBe(
              slice >= from && slice <= through,
            )
        for (const other of periods)
          if (other !== first) expect(within(boundsFor(spec, other, kind).from, span)).toBe(false)
      }),
      { numRuns: 300 },
    )
  })

  test('select exactly the chunks that may contain a row of their days', async () => {
    const time = fc.integer({ min: 0, max: 6 }).map((day) => valueText(Date.parse('2024-03-01') + day * DAY, 'date'))
    const key = fc.tuple(time, fc.integer({ min: 1, max: 3 }).map(String))
    const bound: fc.Arbitrary<KeyBound | null> = fc.oneof(
      fc.constant(null),
      time.map((at): KeyBound => [at]),
      key,
    )
    const above = ([at = '', id = '']: KeyBound, edge: KeyBound | null): boolean => {
      if (edge === null) return true
      const order = comparePeriodTimes(at, edge[0] ?? '')
      return order > 0 || (order === 0 && edge[1] !== undefined && id > edge[1])
    }
    const all = Array.from({ length: 9 }, (_, day) =>
      ['0', '1', '2', '3', '4'].map((id): KeyBound => [valueText(Date.parse('2024-02-29') + day * DAY, 'date'), id]),
    ).flat()
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(bound, bound), { maxLength: 6 }),
        time,
        fc.oneof(fc.constant(null), time),
        async (bounds, after, through) => {
          const span = { after, through }
          const chunks = bounds.map(([low, high], at) => ({
            no: at + 1,
            status: at % 2 === 0 ? 'pending' : 'completed',
            range: { by: 'key', after: low, through: high } as Range & { by: 'key' },
          }))
          const holds = chunks.map(({ range }) =>
            all.some(
              (row) =>
                above(row, range.after) &&
                (range.through === null || !above(row, range.through)) &&
                within(row[0] ?? '', span),
            ),
          )
          for (const [at, { range }] of chunks.entries())
            if (holds[at] === true) expect(mayContain(range, span)).toBe(true)
          let taken: readonly number[] | null = null
          const left = await limitToSpan(
            {
              each: async function* () {
                yield* chunks
              },
              claims: { work: ({ only }: { readonly only: readonly number[] | null }) => (taken = only) },
            } as never,
            span,
          )
          expect(taken).toEqual(chunks.flatMap(({ no, range }) => (mayContain(range, span) ? [no] : [])))
          expect(left).toBe(chunks.some(({ range, status }) => !mayContain(range, span) && status === 'pending'))
        },
      ),
      { numRuns: 300 },
    )
  })

  test('above the last one are refused, and the hint has the number of slices', () => {
    const spec: CalendarSpec = { ...DEFAULT_CALENDAR, yearOffset: 1 }
    const partitions = partitionsOf(spec, 'date', periodsFrom(spec, '2024-04-01', 1))
    const marks = (slices: 'week' | 'month' | null) =>
      periodMarks({
        newTable: { table: { name: 't' }, partitions },
        kind: 'date',
        spec,
        slices,
        first: 'Q2-FY25',
        now: 0,
      })
    expect(() => chosenSlices(marks('month'), { from: 3, through: 4 })).toThrow(
      expect.objectContaining({ code: 'BAD_FLAG', hint: expect.stringContaining('3 ') as string }) as Error,
    )
    expect(() => chosenSlices(marks(null), { from: 1, through: 1 })).toThrow('has no slices')
    expect(chosenSlices(marks('month'), { from: 2, through: 3 })).toEqual({
      span: { after: '2024-04-30', through: '2024-06-30' },
      period: 'Q2-FY25',
      of: 3,
    })
  })
})

test("the current period is copied first: by the calendar's zone for dates, by UTC time for times with a zone", () => {
  const spec: CalendarSpec = { ...DEFAULT_CALENDAR, unit: 'month', zone: 'Asia/Tokyo' }
  // 1 April in Tokyo, still 31 March in UTC.
  const now = Date.parse('2024-03-31T20:00:00Z')
  const firsts = (['date', 'timestamp', 'timestamptz'] as const).map((kind) => {
    const partitions = partitionsOf(spec, kind, periodsFrom(spec, '2024-03-01', 3))
    const { first, marks } = periodMarks({
      newTable: { table: { name: 't' }, partitions },
      kind,
      spec,
      slices: null,
      now,
    })
    return marks.find(({ partition }) => partition === first)?.label
  })
  expect(firsts).toEqual(['2024-04', '2024-04', '2024-04'])
})
