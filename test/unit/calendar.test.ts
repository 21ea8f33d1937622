/** The fiscal calendar: how it is typed, names and bounds of periods, and which of them are due. */
import { describe, expect, it } from 'vitest'
import { ageText, cutOff, isOlder, parseAge } from '../../src/model/calendar/age.ts'
import { boundsFor, periodOfBounds } from '../../src/model/calendar/bounds.ts'
import { calendarText, parseCalendar } from '../../src/model/calendar/calendar-text.ts'
import { DEFAULT_CALENDAR } from '../../src/model/calendar/calendar.ts'
import { duePeriods, periodOfValue } from '../../src/model/calendar/due.ts'
import { nextPeriod, periodAt, periodOf, periodsBetween } from '../../src/model/calendar/period.ts'
import { SluiceError, type ErrorCode } from '../../src/shared/errors.ts'

/** Calendar of the guide's example: the fiscal year begins in January and has the number of the next year. */
const seed = parseCalendar('quarter(first-month=1,year-offset=1,zone=UTC)')
const labels = (periods: Iterable<{ readonly label: string }>): string[] => Array.from(periods, ({ label }) => label)

function expectRefused(code: ErrorCode, act: () => unknown): SluiceError {
  try {
    act()
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error
    expect(error.code).toBe(code)
    expect(error.hint).toBeTruthy()
    return error
  }
  throw new Error('was not refused')
}

describe('the text of a calendar', () => {
  it('is short to type and complete in a ledger', () => {
    expect(parseCalendar('quarter')).toEqual(DEFAULT_CALENDAR)
    expect(calendarText(DEFAULT_CALENDAR)).toBe('quarter(first-month=1,year-offset=0,zone=UTC)')
    expect(calendarText(seed)).toBe('quarter(first-month=1,year-offset=1,zone=UTC)')
    expect(calendarText(parseCalendar('week'))).toBe('week(first-weekday=1,zone=UTC)')
    expect(calendarText(parseCalendar('day()'))).toBe('day(zone=UTC)')
    expect(calendarText(parseCalendar(' Year ( zone = europe/berlin , First-Month=+10, year-offset=-0 ) '))).toBe(
      'year(first-month=10,year-offset=0,zone=Europe/Berlin)',
    )
    expect(calendarText(parseCalendar('month(first-month=2)'))).toBe('month(first-month=2,zone=UTC)')
    expect(parseCalendar('day(zone=Etc/GMT+5)').zone).toBe('Etc/GMT+5')
    expect(parseCalendar('day(zone=Asia/Kolkata)').zone).toBe('Asia/Kolkata')
    expect(parseCalendar('day(zone=utc)').zone).toBe('UTC')
  })

  it.each([
    '',
    'quarters',
    'fortnight',
    'quarter(',
    'quarter)',
    'quarter(first-month=1',
    'quarter()()',
    'quarter(first-month)',
    'quarter(first-month=)',
    'quarter(first-month=0)',
    'quarter(first-month=13)',
    'quarter(first-month=1.5)',
    'quarter(first-month=0x1)',
    'quarter(first-month=1,first-month=1)',
    'quarter(first-month=1,)',
    'quarter(colour=red)',
    'quarter(year-offset=9999)',
    'week(first-weekday=8)',
    'week(first-weekday=0)',
    'day(zone=)',
    'day(zone=Europe/Atlantis)',
    'day(zone=+02:00)',
    'day(zone=IST)',
    'day(zone=EET)',
    'day(zone=SystemV/PST8)',
    'day(zone=localtime)',
  ])('%j is refused', (text) => {
    expectRefused('BAD_FLAG', () => parseCalendar(text))
  })
})

describe('a calendar built from fields', () => {
  it('has the same text as a typed one', () => {
    expect(calendarText({ ...DEFAULT_CALENDAR, zone: 'utc', yearOffset: -0 })).toBe(calendarText(DEFAULT_CALENDAR))
    expect(calendarText({ ...DEFAULT_CALENDAR, zone: 'EUROPE/berlin' })).toContain('zone=Europe/Berlin)')
  })

  it('is refused before it gets into a ledger', () => {
    for (const wrong of [
      { zone: 'IST' },
      { zone: '+01:00' },
      { firstMonth: 0 },
      { firstMonth: 1.5 },
      { yearOffset: Number.NaN },
      { firstWeekday: 8 },
    ]) {
      expectRefused('BAD_FLAG', () => calendarText({ ...DEFAULT_CALENDAR, ...wrong }))
    }
    const nowhere = { ...DEFAULT_CALENDAR, zone: 'Europe/Atlantis' }
    expectRefused('BAD_FLAG', () => boundsFor(nowhere, periodOf(nowhere, '2024-04-01'), 'timestamptz'))
  })
})

describe('periods', () => {
  it('are those of the guide: Q2-FY25 is 1 April to 30 June 2024', () => {
    const period = { label: 'Q2-FY25', from: '2024-04-01', to: '2024-07-01' }
    expect(periodAt(seed, 'Q2-FY25')).toEqual(period)
    expect(periodOf(seed, '2024-04-01')).toEqual(period)
    expect(periodOf(seed, '2024-06-30')).toEqual(period)
    expect(periodOf(seed, '2024-03-31').label).toBe('Q1-FY25')
    expect(periodOf(seed, '2024-07-01').label).toBe('Q3-FY25')
    expect(nextPeriod(seed, period, -2).label).toBe('Q4-FY24')
    expect(nextPeriod(seed, period, 3).label).toBe('Q1-FY26')
  })

  it.each([
    ['quarter', '2024-04-01', '2024-Q2', '2024-04-01', '2024-07-01'],
    ['quarter(first-month=10,year-offset=1)', '2024-09-30', 'Q4-FY24', '2024-07-01', '2024-10-01'],
    ['quarter(first-month=10,year-offset=1)', '2024-10-01', 'Q1-FY25', '2024-10-01', '2025-01-01'],
    ['quarter(first-month=4)', '2024-03-31', 'Q4-FY23', '2024-01-01', '2024-04-01'],
    ['quarter(first-month=2)', '2024-01-31', 'Q4-FY23', '2023-11-01', '2024-02-01'],
    ['quarter(first-month=12)', '2024-02-29', 'Q1-FY23', '2023-12-01', '2024-03-01'],
    ['quarter(year-offset=543)', '2024-04-01', 'Q2-FY2567', '2024-04-01', '2024-07-01'],
    ['year', '2024-12-31', '2024', '2024-01-01', '2025-01-01'],
    ['year', '0999-12-31', '0999', '0999-01-01', '1000-01-01'],
    ['year(year-offset=1)', '2024-12-31', 'FY25', '2024-01-01', '2025-01-01'],
    ['year(year-offset=1)', '1998-12-31', 'FY1999', '1998-01-01', '1999-01-01'],
    ['year(year-offset=1)', '1999-12-31', 'FY00', '1999-01-01', '2000-01-01'],
    ['year(year-offset=1)', '2098-12-31', 'FY99', '2098-01-01', '2099-01-01'],
    ['year(year-offset=1)', '2099-12-31', 'FY2100', '2099-01-01', '2100-01-01'],
    ['year(first-month=4)', '0100-03-31', 'FY0099', '0099-04-01', '0100-04-01'],
    ['month', '2024-02-29', '2024-02', '2024-02-01', '2024-03-01'],
    ['month', '1900-02-28', '1900-02', '1900-02-01', '1900-03-01'],
    ['week', '2024-04-01', '2024-W14', '2024-04-01', '2024-04-08'],
    ['week', '2021-01-03', '2020-W53', '2020-12-28', '2021-01-04'],
    ['week', '2024-12-30', '2025-W01', '2024-12-30', '2025-01-06'],
    ['week(first-weekday=7)', '2024-04-01', '2024-W14', '2024-03-31', '2024-04-07'],
    // Weeks from Sunday with most of their days in a year, as epidemiologists count them.
    ['week(first-weekday=7)', '2025-12-31', '2025-W53', '2025-12-28', '2026-01-04'],
    ['week(first-weekday=6)', '2024-01-01', '2024-W01', '2023-12-30', '2024-01-06'],
    ['day', '2024-02-29', '2024-02-29', '2024-02-29', '2024-03-01'],
  ])('of %s: %s lies in %s', (text, day, label, from, to) => {
    const spec = parseCalendar(text)
    expect(periodOf(spec, day)).toEqual({ label, from, to })
    expect(periodAt(spec, label)).toEqual({ label, from, to })
  })

  it('are found by carelessly typed names, and by no others', () => {
    expect(periodAt(seed, ' q2-fy2025').label).toBe('Q2-FY25')
    expect(periodAt(parseCalendar('week'), '2024-w14').label).toBe('2024-W14')
    for (const label of ['', '2024-Q2', 'Q5-FY25', 'Q0-FY25', 'Q2-FY', 'Q2-FY025', 'Q2-FY5', 'Q2-FY0000', 'xQ2-FY25']) {
      expect(expectRefused('BAD_FLAG', () => periodAt(seed, label)).hint).toContain('Q2-FY25')
    }
    for (const [text, label] of [
      ['week', '2021-W53'],
      ['week', '2020-W00'],
      ['week', '2020-W54'],
      ['month', '2024-13'],
      ['month', '2024-00'],
      ['month', '0000-12'],
      ['day', '2023-02-29'],
      ['day', '2024-4-1'],
      ['quarter', 'Q2-FY25'],
      ['year', 'FY25'],
      ['year', '0000'],
      ['year', '9999'],
    ] as const) {
      expectRefused('BAD_FLAG', () => periodAt(parseCalendar(text), label))
    }
  })

  it('exist only in years of four digits', () => {
    const day = parseCalendar('day')
    expect(periodOf(day, '0001-01-01').to).toBe('0001-01-02')
    expect(periodOf(day, '9999-12-30').to).toBe('9999-12-31')
    expectRefused('BAD_FLAG', () => periodOf(day, '9999-12-31'))
    expectRefused('BAD_FLAG', () => periodOf(day, '0000-12-31'))
    expectRefused('BAD_FLAG', () => periodOf(day, '10000-01-01'))
    expectRefused('BAD_FLAG', () => nextPeriod(day, periodOf(day, '0001-01-01'), -1))
    expectRefused('BAD_FLAG', () => periodOf(parseCalendar('week(first-weekday=7)'), '0001-01-01'))
    expect(periodOf(parseCalendar('week'), '0001-01-01').label).toBe('0001-W01')
    expectRefused('BAD_FLAG', () => periodOf(parseCalendar('year(year-offset=-2024)'), '2024-04-01'))
    expect(periodOf(parseCalendar('year(year-offset=-2023)'), '2024-04-01').label).toBe('FY0001')
    expectRefused('BAD_FLAG', () => periodOf(parseCalendar('year(year-offset=7976)'), '2024-04-01'))
  })

  it('are listed between two days, up to a limit', () => {
    expect(labels(periodsBetween(seed, '2024-03-31', '2024-07-02'))).toEqual(['Q1-FY25', 'Q2-FY25', 'Q3-FY25'])
    expect(labels(periodsBetween(seed, '2024-04-01', '2024-07-01'))).toEqual(['Q2-FY25'])
    expect(labels(periodsBetween(seed, '2024-04-01', '2024-04-01'))).toEqual([])
    expect(labels(periodsBetween(seed, '2024-05-01', '2024-04-01'))).toEqual([])
    expect(labels(periodsBetween(parseCalendar('month'), '0001-01-01', '2024-01-01'))).toHaveLength(2023 * 12)
    const error = expectRefused('BAD_FLAG', () => periodsBetween(parseCalendar('day'), '0001-01-01', '2024-01-01'))
    expect(error.message).toContain('738885')
  })
})

describe('ages', () => {
  it('are a number and a unit', () => {
    expect(['8q', '24M', ' 2 y ', '90d', '013w', '0q'].map((text) => ageText(parseAge(text)))).toEqual([
      '8q',
      '24m',
      '2y',
      '90d',
      '13w',
      '0q',
    ])
    for (const text of ['', 'q', '8', '-8q', '1.5y', '8h', '8qq', '8 quarters', '1e3d', '9999999d']) {
      expectRefused('BAD_FLAG', () => parseAge(text))
    }
  })

  it.each([
    ['quarter(year-offset=1)', '8q', '2024-05-17T12:00:00Z', '2022-04-01'],
    ['quarter(year-offset=1)', '0q', '2024-05-17T12:00:00Z', '2024-04-01'],
    ['month', '8q', '2024-05-17T12:00:00Z', '2022-04-01'],
    ['month(first-month=2)', '8q', '2024-05-17T12:00:00Z', '2022-05-01'],
    ['quarter', '24m', '2024-05-17T12:00:00Z', '2022-05-01'],
    ['quarter', '90d', '2024-05-17T12:00:00Z', '2024-02-17'],
    ['quarter(first-month=4)', '2y', '2024-03-31T12:00:00Z', '2021-04-01'],
    ['day', '13w', '2024-05-19T12:00:00Z', '2024-02-12'],
    ['day(first-weekday=7)', '13w', '2024-05-19T12:00:00Z', '2024-02-18'],
    // The quarter is over in Kiritimati, and not in Honolulu.
    ['quarter(zone=Pacific/Kiritimati)', '1q', '2024-03-31T12:00:00Z', '2024-01-01'],
    ['quarter(zone=Pacific/Honolulu)', '1q', '2024-04-01T09:59:59.999Z', '2023-10-01'],
    ['quarter(zone=Pacific/Honolulu)', '1q', '2024-04-01T10:00:00Z', '2024-01-01'],
  ])('on a calendar of %s, age %s at %s keeps what ends after %s', (text, age, now, day) => {
    expect(cutOff(parseCalendar(text), parseAge(age), new Date(now))).toBe(day)
  })

  it('make a period due if it ended before the first day that is kept', () => {
    const day = cutOff(seed, parseAge('8q'), new Date('2024-05-17T12:00:00Z'))
    expect(isOlder(periodAt(seed, 'Q1-FY23'), day)).toBe(true)
    expect(isOlder(periodAt(seed, 'Q2-FY23'), day)).toBe(false)
    // A year that overlaps the kept time is not due.
    expect(isOlder(periodAt(parseCalendar('year'), '2021'), day)).toBe(true)
    expect(isOlder(periodAt(parseCalendar('year'), '2022'), day)).toBe(false)
    expectRefused('BAD_FLAG', () => cutOff(seed, parseAge('2024y'), new Date('2024-05-17T12:00:00Z')))
  })
})

const moments = (zone: string, day: string): string =>
  boundsFor({ ...DEFAULT_CALENDAR, unit: 'day', zone }, { label: '', from: day, to: day }, 'timestamptz').from

describe('bounds', () => {
  const berlin = parseCalendar('quarter(year-offset=1,zone=Europe/Berlin)')

  it('are texts that a column of each kind takes', () => {
    const period = periodAt(berlin, 'Q2-FY25')
    expect(boundsFor(berlin, period, 'date')).toEqual({ from: '2024-04-01', to: '2024-07-01' })
    expect(boundsFor(berlin, period, 'timestamp')).toEqual({ from: '2024-04-01 00:00:00', to: '2024-07-01 00:00:00' })
    expect(boundsFor(berlin, period, 'timestamptz')).toEqual({
      from: '2024-03-31 22:00:00+00',
      to: '2024-06-30 22:00:00+00',
    })
    expect(boundsFor(berlin, period, 'epoch-seconds')).toEqual({ from: '1711922400', to: '1719784800' })
    expect(boundsFor(berlin, period, 'epoch-milliseconds')).toEqual({ from: '1711922400000', to: '1719784800000' })
    expect(boundsFor(seed, periodAt(seed, 'Q1-FY1970'), 'epoch-seconds')).toEqual({
      from: '-31536000',
      to: '-23760000',
    })
  })

  it('are the first moment of a day, also across clock changes', () => {
    // The clock is put forward from 0:00 to 1:00.
    expect(moments('America/Sao_Paulo', '2018-11-04')).toBe('2018-11-04 03:00:00+00')
    expect(moments('Asia/Beirut', '2024-03-31')).toBe('2024-03-30 22:00:00+00')
    expect(moments('Africa/Cairo', '2023-04-28')).toBe('2023-04-27 22:00:00+00')
    // The clock is put back from 0:00 to 23:00 of the day before: the day begins an hour later.
    expect(moments('America/Sao_Paulo', '2018-02-18')).toBe('2018-02-18 03:00:00+00')
    // The clock is put back from 1:00 to 0:00: midnight occurs twice.
    expect(moments('America/Havana', '2020-11-01')).toBe('2020-11-01 04:00:00+00')
    // The clock is put back from 0:01 to 23:01: the begin of the day occurs twice.
    expect(moments('America/St_Johns', '2010-11-07')).toBe('2010-11-07 02:30:00+00')
    // The zone has no 2011-12-30.
    expect(moments('Pacific/Apia', '2011-12-29')).toBe('2011-12-29 10:00:00+00')
    expect(moments('Pacific/Apia', '2011-12-30')).toBe('2011-12-30 10:00:00+00')
    expect(moments('Pacific/Apia', '2011-12-31')).toBe('2011-12-30 10:00:00+00')
    // Before standard time, the offset has seconds.
    expect(moments('Europe/Berlin', '1850-01-01')).toBe('1849-12-31 23:06:32+00')
    // Year 1 BC in UTC, year 1 AD in Tokyo.
    expect(moments('Asia/Tokyo', '0001-01-01')).toBe('0001-12-31 14:41:01+00 BC')
    expect(moments('America/New_York', '9999-12-31')).toBe('9999-12-31 05:00:00+00')
  })

  it.each([
    ['2024-04-01', '2024-07-01', 'date'],
    ['2024-04-01', '2024-07-01', 'timestamp'],
    ['2024-04-01 00:00:00', '2024-07-01 00:00:00', 'timestamp'],
    ['2024-04-01T00:00:00.000000', '2024-07-01 00:00', 'timestamp'],
    ['2024-04-01 00:00:00+02', '2024-07-01 00:00:00+02', 'timestamptz'],
    ['2024-03-31 22:00:00+00', '2024-06-30 18:00:00-04:00', 'timestamptz'],
    ['2024-04-01 03:30:00+05:30', '2024-06-30T22:00:00Z', 'timestamptz'],
    ['2024-03-31 22:00:00', '2024-06-30 22:00:00', 'timestamptz'],
    ['1711922400', '1719784800', 'epoch-seconds'],
    ['1711922400.000', '1719784800', 'epoch-seconds'],
    ['1711922400000', '1719784800000', 'epoch-milliseconds'],
  ] as const)('from %s to %s of a %s are Q2-FY25', (from, to, kind) => {
    expect(periodOfBounds(berlin, from, to, kind)?.label).toBe('Q2-FY25')
  })

  it.each([
    ['2024-04-01', '2024-07-02', 'date'],
    ['2024-04-01', '2024-10-01', 'date'],
    ['2024-04-02', '2024-07-01', 'date'],
    ['2024-05-01', '2024-06-01', 'date'],
    ['2024-07-01', '2024-04-01', 'date'],
    ['2024-04-01', '2024-04-01', 'date'],
    [null, '2024-07-01', 'date'],
    ['2024-04-01', null, 'date'],
    ['-infinity', '2024-07-01', 'date'],
    ['2024-04-01', 'infinity', 'date'],
    ['infinity', 'infinity', 'timestamptz'],
    ['MINVALUE', 'MAXVALUE', 'date'],
    ['2024-04-01 BC', '2024-07-01 BC', 'date'],
    ['294276-04-01', '294276-07-01', 'date'],
    ['2024-04-01 00:00:00.000001', '2024-07-01 00:00:00', 'timestamp'],
    ['2024-04-01 00:00:01', '2024-07-01 00:00:00', 'timestamp'],
    ['2024-04-01 00:00:00+02', '2024-07-01 00:00:00+02', 'timestamp'],
    ['2024-04-01 00:00:00+00', '2024-07-01 00:00:00+00', 'timestamptz'],
    ['2024-04-01 00:00:00+02', '2024-07-01 00:00:00+01', 'timestamptz'],
    ['2024-04-31 00:00:00', '2024-07-01 00:00:00', 'timestamp'],
    ['1711922400', '1719784801', 'epoch-seconds'],
    ['1711922400.5', '1719784800', 'epoch-seconds'],
    ['1711922400001', '1719784800000', 'epoch-milliseconds'],
    ['1711922400', '1719784800', 'epoch-milliseconds'],
    ['999999999999999999', '9999999999999999999', 'epoch-seconds'],
  ] as const)('from %s to %s of a %s are no period', (from, to, kind) => {
    expect(periodOfBounds(berlin, from, to, kind)).toBeNull()
  })

  it('are a period on a day without midnight, but not for a day that the zone does not have', () => {
    const saoPaulo = parseCalendar('day(zone=America/Sao_Paulo)')
    const at = (text: string): string => `2018-11-${text}:00:00+00`
    expect(periodOfBounds(saoPaulo, at('04 03'), at('05 02'), 'timestamptz')?.label).toBe('2018-11-04')
    expect(periodOfBounds(saoPaulo, at('03 03'), at('04 03'), 'timestamptz')?.label).toBe('2018-11-03')
    expect(periodOfBounds(saoPaulo, at('04 02'), at('05 02'), 'timestamptz')).toBeNull()
    const apia = parseCalendar('day(zone=Pacific/Apia)')
    const leftOut = boundsFor(apia, periodAt(apia, '2011-12-30'), 'timestamptz')
    expect(leftOut.from).toBe(leftOut.to)
    expect(periodOfBounds(apia, leftOut.from, leftOut.to, 'timestamptz')).toBeNull()
    expect(periodOfBounds(apia, '2011-12-29 10:00:00+00', leftOut.from, 'timestamptz')?.label).toBe('2011-12-29')
  })

  it('are a period with either midnight, where midnight occurs twice', () => {
    const havana = parseCalendar('month(zone=America/Havana)')
    const november = '2020-11'
    expect(periodOfBounds(havana, '2020-11-01 00:00:00-04', '2020-12-01 00:00:00-05', 'timestamptz')?.label).toBe(
      november,
    )
    expect(periodOfBounds(havana, '2020-11-01 00:00:00-05', '2020-12-01 00:00:00-05', 'timestamptz')?.label).toBe(
      november,
    )
    expect(periodOfBounds(havana, '2020-10-01 00:00:00-04', '2020-11-01 00:00:00-05', 'timestamptz')?.label).toBe(
      '2020-10',
    )
  })
})

describe('what is due', () => {
  it('is every period from the smallest value to the last that has ended', () => {
    expect(labels(duePeriods(seed, '2024-02-29', 'date', '2024-10-01'))).toEqual(['Q1-FY25', 'Q2-FY25', 'Q3-FY25'])
    expect(labels(duePeriods(seed, '2024-02-29', 'date', '2024-09-30'))).toEqual(['Q1-FY25', 'Q2-FY25'])
    expect(labels(duePeriods(seed, '2024-09-30', 'date', '2024-09-30'))).toEqual([])
    expect(labels(duePeriods(seed, '2024-09-29', 'date', '2024-09-30'))).toEqual([])
    expect(labels(duePeriods(seed, null, 'date', '2024-10-01'))).toEqual([])
    for (const late of ['infinity', '9999-12-31', '294276-12-31']) {
      expect(labels(duePeriods(seed, late, 'date', '2024-10-01'))).toEqual([])
    }
    expect(labels(duePeriods(seed, '99999999999999', 'epoch-seconds', '2024-10-01'))).toEqual([])
  })

  it('depends on the clock of the zone', () => {
    const berlin = parseCalendar('month(zone=Europe/Berlin)')
    expect(periodOfValue(berlin, '2024-03-31 21:59:59.999999+00', 'timestamptz').label).toBe('2024-03')
    expect(periodOfValue(berlin, '2024-03-31 22:00:00+00', 'timestamptz').label).toBe('2024-04')
    expect(periodOfValue(berlin, '2024-03-31 23:59:59.999999', 'timestamp').label).toBe('2024-03')
    expect(periodOfValue(berlin, '-3601', 'epoch-seconds').label).toBe('1969-12')
    expect(periodOfValue(berlin, '-3600', 'epoch-seconds').label).toBe('1970-01')
    expect(periodOfValue(berlin, '-3600.5', 'epoch-seconds').label).toBe('1969-12')
    expect(periodOfValue(berlin, '-3600001', 'epoch-milliseconds').label).toBe('1969-12')
    // When the clock is put back over midnight, the end of the day before occurs again: it belongs to the day that had
    // begun.
    const stJohns = parseCalendar('day(zone=America/St_Johns)')
    expect(periodOfValue(stJohns, '2010-11-07 02:29:59+00', 'timestamptz').label).toBe('2010-11-06')
    expect(periodOfValue(stJohns, '2010-11-07 02:30:00+00', 'timestamptz').label).toBe('2010-11-07')
    expect(periodOfValue(stJohns, '2010-11-07 02:45:00+00', 'timestamptz').label).toBe('2010-11-07')
  })

  it('leaves out a day that the zone does not have, unless the columns have no zone', () => {
    const apia = parseCalendar('day(zone=Pacific/Apia)')
    expect(labels(duePeriods(apia, '2011-12-29 12:00:00+00', 'timestamptz', '2012-01-01'))).toEqual([
      '2011-12-29',
      '2011-12-31',
    ])
    expect(labels(duePeriods(apia, '2011-12-29', 'date', '2012-01-01'))).toHaveLength(3)
  })

  it('is unknown for values that no period holds', () => {
    for (const [value, kind] of [
      ['-infinity', 'date'],
      ['-infinity', 'timestamptz'],
      ['0044-03-15 BC', 'date'],
      ['0044-03-15 00:00:00+00 BC', 'timestamptz'],
      ['0000-01-01', 'date'],
      ['yesterday', 'date'],
      ['2024-02-30', 'date'],
      ['1711922400', 'timestamptz'],
      ['2024-02-29', 'epoch-seconds'],
      ['-999999999999999999', 'epoch-seconds'],
      ['NaN', 'epoch-seconds'],
    ] as const) {
      expect(expectRefused('VALUE_REFUSED', () => duePeriods(seed, value, kind, '2024-10-01')).exitCode).toBe(3)
    }
    expectRefused('VALUE_REFUSED', () => periodOfValue(seed, 'infinity', 'date'))
    expectRefused('VALUE_REFUSED', () => periodOfValue(parseCalendar('day'), '9999-12-31', 'date'))
    expectRefused('BAD_FLAG', () => duePeriods(parseCalendar('day'), '0001-01-01', 'date', '2024-10-01'))
  })
})
