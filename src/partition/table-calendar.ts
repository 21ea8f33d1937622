/** The calendar that the partitions of a table keep to, by their bounds alone. */
import { allBeginDays, periodOfBounds } from '../model/calendar/bounds.ts'
import { DEFAULT_CALENDAR, type CalendarSpec } from '../model/calendar/calendar.ts'
import type { Period } from '../model/calendar/period.ts'
import { isMoment, type ValueKind } from '../model/calendar/value-text.ts'
import type { RangePartition } from '../model/partition/maintenance-port.ts'

/** So many of the newest are looked at: what was cut in another way years ago says nothing about the next. */
const MOST = 12
const NEWEST = [MOST, 6, 3, 2] as const

export type FoundCalendar = {
  readonly spec: CalendarSpec
  /** The partitions that say so, the oldest first, and the periods that they are. */
  readonly of: readonly { readonly partition: RangePartition; readonly period: Period }[]
}

type LearnedCalendar = {
  /** Null where the newest partitions are the periods of no calendar, or of none that could be told from others. */
  readonly found: FoundCalendar | null
  /** Where it is none because its days could begin in several zones, these. */
  readonly zones: readonly string[]
}

/**
 * @param partitions by their lower bounds
 * @param zones where days may begin, what is preferred first; of a column whose values are moments
 * @returns null where the newest partitions are the periods of no calendar, or there is only one and it is no single period
 */
export function calendarOf(
  partitions: readonly RangePartition[],
  kind: ValueKind,
  zones: readonly string[],
): FoundCalendar | null {
  return learnCalendar(partitions, kind, zones, []).found
}

/**
 * As calendarOf, and where the preferred zones do not fit with one of the other zones, if it is the only one: another choice would cut coming periods an hour off.
 * @param others zones that are looked at where none of the preferred ones fits
 */
export function learnCalendar(
  partitions: readonly RangePartition[],
  kind: ValueKind,
  zones: readonly string[],
  others: readonly string[],
): LearnedCalendar {
  const bounded = partitions.filter(({ from, to, isDefault }) => !isDefault && from !== null && to !== null)
  const sizes = bounded.length === 1 ? [1] : NEWEST.filter((size, at) => at === 0 || size < bounded.length)
  let possible: readonly string[] | null = isMoment(kind) ? null : []
  for (const size of sizes) {
    const newest = bounded.slice(-size)
    const [first] = longest(fittingOf(newest, kind, zones), bounded, kind)
    if (first !== undefined) return { found: first, zones: [] }
    // It takes a third of a second to ask all zones.
    possible ??= others.filter((zone) => beginDays(bounded.slice(-2), kind, zone))
    if (possible.length === 0) continue
    const left = longest(fittingOf(newest, kind, possible), bounded, kind)
    if (left.length === 1) return { found: left[0] ?? null, zones: [] }
    if (left.length > 1) return { found: null, zones: left.map(({ spec }) => spec.zone) }
  }
  return { found: null, zones: [] }
}

function fittingOf(
  newest: readonly RangePartition[],
  kind: ValueKind,
  zones: readonly string[],
): readonly FoundCalendar[] {
  const fitting: FoundCalendar[] = []
  for (const spec of candidates(kind, zones)) {
    const of = periodsOf(newest, spec, kind)
    if (of !== null && of.length > 0) fitting.push({ spec, of })
  }
  return fitting
}

/** In a winter the days of London are those of UTC: older partitions tell which of them it is. What none tells apart is left, the preferred one first. */
function longest(
  fitting: readonly FoundCalendar[],
  bounded: readonly RangePartition[],
  kind: ValueKind,
): readonly FoundCalendar[] {
  let left = fitting
  for (const { from, to } of bounded.toReversed()) {
    if (left.length <= 1) break
    const still = left.filter(({ spec }) => periodOfBounds(spec, from, to, kind) !== null)
    if (still.length === 0) break
    left = still
  }
  return left
}

/** Whether days of a zone begin at all of their bounds: soon told, and most zones are none that could fit. */
function beginDays(partitions: readonly RangePartition[], kind: ValueKind, zone: string): boolean {
  return allBeginDays(
    partitions.flatMap(({ from, to }) => [from, to]),
    kind,
    zone,
  )
}

/** The periods that all of them are; null where one is none. */
export function periodsOf(
  partitions: readonly RangePartition[],
  spec: CalendarSpec,
  kind: ValueKind,
): FoundCalendar['of'] | null {
  const of: { partition: RangePartition; period: Period }[] = []
  for (const partition of partitions) {
    const period = periodOfBounds(spec, partition.from, partition.to, kind)
    if (period === null) return null
    of.push({ partition, period })
  }
  return of
}

/** No two of them have a period in common but by their zones: a quarter is no month, and quarters that begin in May none of those that begin in April. */
function* candidates(kind: ValueKind, zones: readonly string[]): Iterable<CalendarSpec> {
  const inZones = isMoment(kind) ? [...new Set(zones)] : [zones[0] ?? DEFAULT_CALENDAR.zone]
  for (const zone of inZones) {
    const base = { ...DEFAULT_CALENDAR, zone }
    yield { ...base, unit: 'month' }
    for (const firstMonth of [1, 2, 3]) yield { ...base, unit: 'quarter', firstMonth }
    yield { ...base, unit: 'day' }
    for (let firstWeekday = 1; firstWeekday <= 7; firstWeekday++) yield { ...base, unit: 'week', firstWeekday }
    for (let firstMonth = 1; firstMonth <= 12; firstMonth++) yield { ...base, unit: 'year', firstMonth }
  }
}
