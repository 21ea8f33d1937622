import { describe, expect, test } from 'vitest'
import { DEFAULT_CALENDAR } from '../../src/model/calendar/calendar.ts'
import { periodAt, periodsBetween } from '../../src/model/calendar/period.ts'
import { bytesPerHour, msFor, neededPerHour, totalCopyTime } from '../../src/partition/forecast.ts'
import { newPartitionName, periodsOfYears, plannedPeriods, rowYears } from '../../src/partition/planned-periods.ts'
import { slicesOf } from '../../src/model/calendar/slices.ts'

const HOUR = 3_600_000
const FISCAL = { ...DEFAULT_CALENDAR, yearOffset: 1 }
const Q2 = periodAt(FISCAL, 'Q2-FY25')

describe('the example of the guide', () => {
  test('216.67 GB in 3 hours are 72.22 GB an hour', () => {
    expect(neededPerHour(216_670_000_000n, 3 * HOUR)).toBe(72_223_333_333n)
    expect(msFor(216_670_000_000n, 72_223_333_333n)).toBe(3 * HOUR)
    // At 1 kB per row: 216.67 million rows.
    expect(bytesPerHour(216_670_000n * 1000n, 3 * HOUR)).toBe(72_223_333_333n)
  })

  test('Q2-FY25 is 1 April to 30 June 2024, in months or in weeks that are clipped at its bounds', () => {
    expect([Q2.from, Q2.to]).toEqual(['2024-04-01', '2024-07-01'])
    expect(slicesOf(FISCAL, Q2, 'month')).toEqual([
      { label: '2024-04', from: '2024-04-01', to: '2024-05-01' },
      { label: '2024-05', from: '2024-05-01', to: '2024-06-01' },
      { label: '2024-06', from: '2024-06-01', to: '2024-07-01' },
    ])
    expect(slicesOf(FISCAL, Q2, 'week')).toHaveLength(13)
    const fourth = slicesOf(FISCAL, periodAt(FISCAL, 'Q4-FY25'), 'week')
    expect(fourth.at(0)).toEqual({ label: '2024-W40', from: '2024-10-01', to: '2024-10-07' })
    expect(fourth.at(-1)).toEqual({ label: '2025-W01', from: '2024-12-30', to: '2025-01-01' })
    expect(slicesOf(FISCAL, Q2, null)).toEqual([Q2])
  })

  test('slices of a period have no gaps, whichever weekday a week begins on', () => {
    for (let firstWeekday = 1; firstWeekday <= 7; firstWeekday++) {
      const spec = { ...FISCAL, firstWeekday }
      for (const period of periodsBetween(spec, '2019-01-01', '2026-01-01')) {
        const slices = slicesOf(spec, period, 'week')
        expect(slices[0]?.from).toBe(period.from)
        expect(slices.at(-1)?.to).toBe(period.to)
        for (const [i, { from }] of slices.entries()) if (i > 0) expect(from).toBe(slices[i - 1]?.to)
      }
    }
  })
})

describe('estimated time', () => {
  test('workers take the next slice as soon as they are free', () => {
    expect(totalCopyTime([3, 3, 3, 3], 1)).toBe(12)
    expect(totalCopyTime([3, 3, 3, 3], 2)).toBe(6)
    expect(totalCopyTime([5, 1, 1, 1, 1, 1], 2)).toBe(5)
    expect(totalCopyTime([2, 2, 2], 8)).toBe(2)
    expect(totalCopyTime([], 3)).toBe(0)
  })

  test('no bytes take no time, and a rate of 0 takes for ever', () => {
    expect(msFor(0n, 0n)).toBe(0)
    expect(msFor(1n, 0n)).toBe(Infinity)
    expect(bytesPerHour(5n, 0)).toBe(0n)
  })
})

describe('periods of rows', () => {
  const years = (rows: Readonly<Record<number, number>>): Parameters<typeof rowYears>[0] => ({
    years: new Map(Object.entries(rows).map(([year, count]) => [Number(year), { rows: BigInt(count), off: null }])),
    nulls: { rows: 0n, off: null },
    outside: { rows: 0n, off: null },
    sampled: null,
  })

  test('years separated by more than two empty years are reported as far', () => {
    const found = rowYears(years({ 1970: 9, 2019: 5, 2022: 50, 2024: 7, 9999: 3 }))
    expect(found.main).toMatchObject({ first: 2019, last: 2024 })
    expect(found.far.map(({ year }) => year)).toEqual([1970, 9999])
    expect(rowYears(years({ 2019: 5, 2023: 50 })).far).toMatchObject([{ year: 2019, rows: 5n }])
    expect(rowYears(years({})).main).toBeNull()
    // Placeholder years are never the main group, even if they have more rows.
    expect(rowYears(years({ 1: 70, 2024: 1, 9999: 80 }))).toMatchObject({
      main: { first: 2024, last: 2024 },
      far: [{ year: 1 }, { year: 9999, rows: 80n }],
    })
    expect(rowYears(years({ 9999: 80 }))).toMatchObject({ main: null, far: [{ year: 9999 }] })
  })

  test('a year is added on both sides, for zones and fiscal years', () => {
    const periods = periodsOfYears({ ...FISCAL, zone: 'Asia/Tokyo' }, { first: 2024, last: 2024 })
    expect([periods[0]?.from, periods.at(-1)?.to]).toEqual(['2023-10-01', '2025-04-01'])
  })

  test('partitions cover the first rows to two periods after the current one, or to the last rows', () => {
    const now = new Date('2024-05-05T00:00:00Z')
    const [first, last] = [periodAt(FISCAL, 'Q3-FY24'), periodAt(FISCAL, 'Q1-FY27')]
    expect(plannedPeriods(FISCAL, [first], now, 2).map(({ label }) => label)).toEqual([
      'Q3-FY24',
      'Q4-FY24',
      'Q1-FY25',
      'Q2-FY25',
      'Q3-FY25',
      'Q4-FY25',
    ])
    expect(plannedPeriods(FISCAL, [first, last], now, 2).at(-1)).toEqual(last)
    expect(plannedPeriods(FISCAL, [], now, 2).map(({ label }) => label)).toEqual(['Q2-FY25', 'Q3-FY25', 'Q4-FY25'])
    expect(plannedPeriods(FISCAL, [last], now, 2).at(0)?.label).toBe('Q2-FY25')
  })

  test('a long table name is shortened, and the label is kept', () => {
    expect(newPartitionName('bookings', 'Q2-FY25')).toBe('bookings_q2_fy25')
    const name = newPartitionName('ü'.repeat(40), '2024-W14')
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(63)
    expect(name).toMatch(/^ü+_2024_w14$/)
  })
})
