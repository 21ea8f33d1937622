/** Calendar periods that partition tables: days, weeks, months, and quarters and years with any first month. */

export const CALENDAR_UNITS = ['quarter', 'month', 'week', 'day', 'year'] as const
export type CalendarUnit = (typeof CALENDAR_UNITS)[number]

/** Values of `--epoch`: integers are seconds or milliseconds since 1970. */
export const EPOCHS = ['s', 'ms'] as const
export type Epoch = (typeof EPOCHS)[number]

export type CalendarSpec = {
  readonly unit: CalendarUnit
  /** 1 to 12: the first month of a year, and of its first quarter. */
  readonly firstMonth: number
  /**
   * Added to the calendar year in which a fiscal year begins. With first month 1 and offset 1, Q2-FY25 is April to
   * June 2024.
   */
  readonly yearOffset: number
  /** First day of a week: 1 (Monday) to 7 (Sunday). */
  readonly firstWeekday: number
  /** IANA name; days begin at its midnight. */
  readonly zone: string
}

export const DEFAULT_CALENDAR: CalendarSpec = {
  unit: 'quarter',
  firstMonth: 1,
  yearOffset: 0,
  firstWeekday: 1,
  zone: 'UTC',
}
