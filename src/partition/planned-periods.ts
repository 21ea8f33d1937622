/** Periods of a table's rows, and planned partitions: for periods with rows, periods in between, and future periods. */
import type { CalendarSpec } from '../model/calendar/calendar.ts'
import { nextPeriod, periodOf, type Period } from '../model/calendar/period.ts'
import type { CountedRows, Years } from '../model/partition/plan-port.ts'
import { SluiceError } from '../shared/errors.ts'
import { currentPeriod } from './coverage.ts'
import { digits } from '../shared/figures.ts'

/** Limit of partitions: more tables than this slow down the planning of every query. */
const MOST_PARTITIONS = 10_000
/**
 * First and last year for which periods of every calendar can be built. Placeholders such as 0001 and 9999 lie outside.
 */
const [FIRST_YEAR, LAST_YEAR] = [3, 9997]
/** Limit of consecutive empty years that get partitions. Years beyond a larger gap count as far away (`far`). */
const EMPTY_YEARS = 2

export type RowYears = {
  /** First and last year of the main group of rows; null if no year can have partitions. */
  readonly main: { readonly first: number; readonly last: number } | null
  /** Years too far away for partitions, such as 1970 and 9999. */
  readonly far: readonly (CountedRows & { readonly year: number })[]
}

/** Splits the years at gaps of more than two empty years, and selects the group with the most rows. */
export function rowYears({ years }: Years): RowYears {
  const parts: { first: number; last: number; rows: bigint }[] = []
  const sorted = [...years].toSorted(([a], [b]) => a - b)
  for (const [year, { rows }] of sorted) {
    if (year < FIRST_YEAR || year > LAST_YEAR) continue
    const part = parts.at(-1)
    if (part === undefined || year - part.last > EMPTY_YEARS + 1) parts.push({ first: year, last: year, rows })
    else {
      part.last = year
      part.rows += rows
    }
  }
  const main = parts.reduce<(typeof parts)[number] | null>(
    (best, one) => (best === null || one.rows > best.rows ? one : best),
    null,
  )
  const far = sorted.filter(([year]) => main === null || year < main.first || year > main.last)
  return { main, far: far.map(([year, counted]) => ({ year, ...counted })) }
}

/** Every period that may hold rows of these years, in order. One month is added at both ends, because of time zones. */
export function periodsOfYears(
  spec: CalendarSpec,
  { first, last }: { readonly first: number; readonly last: number },
): readonly Period[] {
  const end = `${digits(last + 1, 4)}-02-01`
  const periods: Period[] = []
  for (
    let period = periodOf(spec, `${digits(first - 1, 4)}-12-01`);
    period.from < end;
    period = nextPeriod(spec, period)
  ) {
    if (periods.push(period) > MOST_PARTITIONS) throw tooMany(spec)
  }
  return periods
}

/**
 * The partitions of the new table, without the default one.
 * @param filled periods with rows, in order
 * @param ahead whole periods after the current one
 */
export function plannedPeriods(
  spec: CalendarSpec,
  filled: readonly Period[],
  now: Date,
  ahead: number,
): readonly Period[] {
  const current = currentPeriod(spec, now)
  const end = nextPeriod(spec, current, ahead)
  const first = filled[0] ?? current
  const last = filled.at(-1) ?? end
  const to = last.from > end.from ? last : end
  const periods: Period[] = []
  for (
    let period = first.from < current.from ? first : current;
    period.from <= to.from;
    period = nextPeriod(spec, period)
  ) {
    if (periods.push(period) > MOST_PARTITIONS) throw tooMany(spec)
  }
  return periods
}

/** `bookings_2024_q2`; the table's name is shortened so that no system truncates the label. */
export function newPartitionName(table: string, label: string): string {
  const end = `_${label.toLowerCase().replaceAll('-', '_')}`
  const kept = Array.from(table)
  while (Buffer.byteLength(kept.join('') + end) > MOST_NAME) kept.pop()
  return kept.join('') + end
}

/** Longest name in PostgreSQL, in bytes. */
const MOST_NAME = 63

function tooMany({ unit }: CalendarSpec): SluiceError {
  return new SluiceError('BAD_FLAG', `the table needs more than ${MOST_PARTITIONS} partitions of a ${unit}`, {
    hint: 'give a larger unit with --calendar, such as month or quarter',
  })
}
