/** The next name of a table whose partitions have the names that people, programs and manuals give them. */
import { describe, expect, it } from 'vitest'
import { DEFAULT_CALENDAR, type CalendarSpec, type CalendarUnit } from '../../src/engine/calendar/calendar.ts'
import { nextPeriod, periodOf, type Period } from '../../src/engine/calendar/period.ts'
import { nameIn, plainStyle, styleOf } from '../../src/engine/partitioning/name-style.ts'
import { calendarOf, type FoundCalendar } from '../../src/engine/partitioning/table-calendar.ts'
import { partitionsOf, periodsFrom } from '../support/range-partitions.ts'

function named(
  unit: CalendarUnit,
  day: string,
  names: readonly string[],
  more: Partial<CalendarSpec> = {},
): FoundCalendar {
  const spec = { ...DEFAULT_CALENDAR, unit, ...more }
  const partitions = partitionsOf(spec, 'date', periodsFrom(spec, day, names.length), (_, n) => names[n] ?? '')
  const found = calendarOf(partitions, 'date', ['UTC'])
  if (found === null) throw new Error('no calendar')
  return found
}

/** Names of so many periods behind the last. */
function namesBehind(found: FoundCalendar, count = 1): readonly string[] | null {
  const style = styleOf(found)
  const last = found.of.at(-1)
  if (style === null || last === undefined) return null
  return Array.from({ length: count }, (_, n) => nameIn(style, nextPeriod(found.spec, last.period, n + 1)))
}

describe('the next name', () => {
  it.each<[CalendarUnit, string, readonly string[], readonly string[]]>([
    // Quarters.
    ['quarter', '2023-10-01', ['bookings_2023_q4', 'bookings_2024_q1'], ['bookings_2024_q2', 'bookings_2024_q3']],
    [
      'quarter',
      '2024-01-01',
      ['Bookings_2024Q1', 'Bookings_2024Q2'],
      ['Bookings_2024Q3', 'Bookings_2024Q4', 'Bookings_2025Q1'],
    ],
    ['quarter', '2024-04-01', ['bookings_q2_fy25'], ['bookings_q3_fy25', 'bookings_q4_fy25', 'bookings_q1_fy26']],
    [
      'quarter',
      '2024-04-01',
      ['bookings_Q1_FY25', 'bookings_Q2_FY25'],
      ['bookings_Q3_FY25', 'bookings_Q4_FY25', 'bookings_Q1_FY26'],
    ],
    [
      'quarter',
      '2024-04-01',
      ['bookings_fy2024q1'],
      ['bookings_fy2024q2', 'bookings_fy2024q3', 'bookings_fy2024q4', 'bookings_fy2025q1'],
    ],
    ['quarter', '2024-07-01', ['t-24-Q3', 't-24-Q4'], ['t-25-Q1']],
    ['quarter', '2024-07-01', ['q324', 'q424'], ['q125']],
    ['quarter', '2024-07-01', ['p202407', 'p202410'], ['p202501']],
    ['quarter', '2024-02-01', ['m_2024_02'], ['m_2024_05']],
    ['quarter', '2026-07-01', ['l_q3_fy26', 'l_q4_fy26'], ['l_q1_fy27', 'l_q2_fy27']],
    ['quarter', '2026-07-01', ['L_FY2026_Q3'], ['L_FY2026_Q4', 'L_FY2027_Q1']],
    // From and to.
    [
      'month',
      '2026-10-01',
      ['ft_20261001_20261101', 'ft_20261101_20261201'],
      ['ft_20261201_20270101', 'ft_20270101_20270201'],
    ],
    ['month', '2026-12-01', ['ft_2026_12_01_to_2026_12_31'], ['ft_2027_01_01_to_2027_01_31']],
    ['quarter', '2026-10-01', ['f_202610_202612'], ['f_202701_202703']],
    ['day', '2026-12-31', ['d20261231_20270101'], ['d20270101_20270102']],
    // Months.
    ['month', '2024-11-01', ['bookings_p2024_11', 'bookings_p2024_12'], ['bookings_p2025_01']],
    ['month', '2024-04-01', ['p20240401'], ['p20240501']],
    ['month', '2024-04-01', ['t_24_04', 't_24_05'], ['t_24_06']],
    ['month', '2024-04-01', ['t_2404', 't_2405'], ['t_2406']],
    ['month', '2006-02-01', ['measurement_y2006m02', 'measurement_y2006m03'], ['measurement_y2006m04']],
    ['month', '2024-12-01', ['log_dec2024'], ['log_jan2025']],
    ['month', '2024-12-01', ['log_2024_Dec'], ['log_2025_Jan']],
    ['month', '2024-12-01', ['LOG_DEC_2024_A'], ['LOG_JAN_2025_A']],
    ['month', '2024-12-01', ['12-2024'], ['01-2025']],
    // MySQL: by the bound that is not in it, and by the last day that is.
    ['month', '2024-11-01', ['p20241201', 'p20250101'], ['p20250201']],
    ['month', '2024-11-01', ['before 2024-12', 'before 2025-01'], ['before 2025-02']],
    ['month', '2023-12-01', ['to_20231231', 'to_20240131'], ['to_20240229']],
    // Days and weeks.
    ['day', '2024-12-31', ['events_20241231'], ['events_20250101']],
    ['day', '2024-12-30', ['events_2024_12_30', 'events_2024_12_31'], ['events_2025_01_01']],
    ['day', '2024-12-30', ['d241230', 'd241231'], ['d250101']],
    ['day', '2024-12-31', ['31.12.2024'], ['01.01.2025']],
    ['week', '2024-04-01', ['p2024w14'], ['p2024w15']],
    ['week', '2024-12-16', ['t_2024_W51', 't_2024_W52'], ['t_2025_W01']],
    ['week', '2020-12-21', ['t_2020_week_52', 't_2020_week_53'], ['t_2021_week_01']],
    ['week', '2024-04-01', ['events_20240401', 'events_20240408'], ['events_20240415']],
    // Years.
    ['year', '2024-01-01', ['t_2024'], ['t_2025']],
    ['year', '2024-01-01', ['t24'], ['t25']],
    ['year', '2023-04-01', ['fy24', 'fy25'], ['fy26']],
    ['year', '2023-04-01', ['sales_FY2023', 'sales_FY2024'], ['sales_FY2025']],
    // pg_partman 4: with the unit; 5: with the first day.
    ['quarter', '2024-04-01', ['bookings_p2024q2', 'bookings_p2024q3'], ['bookings_p2024q4', 'bookings_p2025q1']],
    ['month', '2024-04-01', ['bookings_p2024_04'], ['bookings_p2024_05']],
    ['day', '2024-04-01', ['bookings_p2024_04_01'], ['bookings_p2024_04_02']],
    ['year', '2024-01-01', ['bookings_p2024'], ['bookings_p2025']],
    [
      'quarter',
      '2024-04-01',
      ['bookings_p20240401', 'bookings_p20240701'],
      ['bookings_p20241001', 'bookings_p20250101'],
    ],
    ['year', '2024-01-01', ['bookings_p20240101'], ['bookings_p20250101']],
    // Digits of the table are not those of the period.
    ['month', '2024-04-01', ['log2024_2024_04', 'log2024_2024_05'], ['log2024_2024_06']],
    ['year', '2020-01-01', ['b20_2020', 'b20_2021'], ['b20_2022']],
    // What was called in another way before says nothing.
    ['month', '2024-01-01', ['p2024_01', 'p2024_02', 'p2024_03', 'p20240401', 'p20240501'], ['p20240601']],
    ['month', '2024-01-01', ['first', 'p2024_02'], ['p2024_03']],
  ])('of %ss from %s: %j', (unit, day, names, next) => {
    const firstMonth = unit === 'year' || unit === 'quarter' ? Number(day.slice(5, 7)) : 1
    expect(namesBehind(named(unit, day, names, { firstMonth }), next.length)).toEqual(next)
  })

  it('is not learned where names say nothing, or another period', () => {
    for (const [unit, names] of [
      ['month', ['a', 'b', 'c']],
      ['month', ['p0', 'p1', 'p2']],
      ['quarter', ['x', 'y', 'z']],
      ['month', ['p2023_04', 'p2023_05']],
      // More digits than those of the period.
      ['month', ['p12024045', 'p12024055']],
      // Of a day, the month alone is no name: the next day would have the same.
      ['day', ['p_2024_04']],
      ['week', ['p_2024_04']],
      ['day', ['p_2024']],
      ['month', ['p_2024']],
      ['quarter', ['p_2024']],
      // What runs beside the period is not understood.
      ['month', ['p_202404_0017', 'p_202405_0018']],
    ] as const) {
      expect([names, namesBehind(named(unit, '2024-04-01', names))]).toEqual([names, null])
    }
  })

  it('has the years of the flags where names say none', () => {
    const spec: CalendarSpec = { ...DEFAULT_CALENDAR, unit: 'quarter', firstMonth: 4, yearOffset: 1 }
    const period = periodOf(spec, '2024-04-15')
    expect(nameIn(plainStyle('bookings', spec), period)).toBe('bookings_q1_fy25')
    for (const firstMonth of [1, 4, 7, 10]) {
      const flagged = { ...spec, firstMonth }
      const of = partitionsOf(flagged, 'date', [period], () => 'b_q1_fy25').map((partition) => ({ partition, period }))
      const style = styleOf({ spec: flagged, of })
      expect([style?.spec.firstMonth, style?.spec.yearOffset]).toEqual([4, 1])
    }
  })

  it('of no more letters than systems take, whatever the table is called', () => {
    for (const unit of ['day', 'week', 'month', 'quarter', 'year'] as const) {
      for (const table of ['t'.repeat(63), 'ü'.repeat(31), '🙂'.repeat(15)]) {
        const spec = { ...DEFAULT_CALENDAR, unit }
        const style = plainStyle(table, spec)
        const names = periodsFrom(spec, '2024-04-15', 4).map((period: Period) => nameIn(style, period))
        expect(Math.max(...names.map((name) => Buffer.byteLength(name)))).toBeLessThanOrEqual(63)
        expect(names.every((name) => name.isWellFormed())).toBe(true)
        expect(new Set(names).size).toBe(4)
      }
    }
  })
})

describe('a style', () => {
  const STYLES: Readonly<
    Record<CalendarUnit, readonly ((year: string, month: string, day: string, label: string) => string)[]>
  > = {
    day: [(y, m, d) => `e_${y}${m}${d}`, (y, m, d) => `${y}-${m}-${d}`, (y, m, d) => `E${y.slice(2)}_${m}_${d}_x`],
    week: [(_, __, ___, label) => `w_${label.toLowerCase().replace('-', '_')}`, (y, m, d) => `w${y}${m}${d}`],
    month: [
      (y, m) => `b_${y}_${m}`,
      (y, m) => `b${y}${m}`,
      (y, m) => `b_${y.slice(2)}.${m}`,
      (y, m) => `b_${y}_${m}_01`,
    ],
    quarter: [(_, __, ___, label) => `q_${label.replace('-', '_')}`, (y, m) => `q_${y}_${m}`],
    year: [(y) => `t_${y}_old`, (y) => `t${y}0101`],
  }

  it('that is learned from any of its names makes all that follow', () => {
    for (const [unit, styles] of Object.entries(STYLES) as [CalendarUnit, (typeof STYLES)[CalendarUnit]][]) {
      for (const nameOf of styles) {
        for (const count of [1, 2, 5, 12]) {
          const spec = { ...DEFAULT_CALENDAR, unit }
          const periods = periodsFrom(spec, '2019-11-05', 90)
          const name = ({ from, label }: Period): string =>
            nameOf(from.slice(0, 4), from.slice(5, 7), from.slice(8), label)
          const found = calendarOf(partitionsOf(spec, 'date', periods.slice(0, count), name), 'date', ['UTC'])
          if (found === null) throw new Error('no calendar')
          expect(namesBehind(found, 90 - count)).toEqual(periods.slice(count).map(name))
        }
      }
    }
  })
})
