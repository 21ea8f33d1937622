/** Derives the calendar of a table from the bounds of its partitions. */
import { allBeginDays, periodOfBounds } from '../model/calendar/bounds.ts'
import { DEFAULT_CALENDAR, type CalendarSpec } from '../model/calendar/calendar.ts'
import type { Period } from '../model/calendar/period.ts'
import { isInstant, type ValueKind } from '../model/calendar/value-text.ts'
import type { RangePartition } from '../model/partition/maintenance-port.ts'

/** Number of newest partitions used: older ones may follow another calendar. */
const MOST = 12
const NEWEST = [MOST, 6, 3, 2] as const

export type FoundCalendar = {
  readonly spec: CalendarSpec
  /** The partitions that match, oldest first, with their periods. */
  readonly of: readonly { readonly partition: RangePartition; readonly period: Period }[]
}

type DerivedCalendar = {
  /** Null if the newest partitions match no calendar, or calendars of several zones. */
  readonly found: FoundCalendar | null
  /** Candidate zones, if no calendar is found because days could begin in several zones. */
  readonly zones: readonly string[]
}

/**
 * The calendar in which each of the newest partitions is one period; null if they match none. If no preferred zone
 * fits, other zones are tried, and a match is used only if there is just one: a wrong zone would shift future periods
 * by hours.
 * @param partitions sorted by lower bound
 * @param zones candidates for the start of days, preferred ones first; for columns of instants
 * @param others zones to try if none of the preferred ones fits
 */
export function deriveCalendar(
  partitions: readonly RangePartition[],
  kind: ValueKind,
  zones: readonly string[],
  others: readonly string[],
): DerivedCalendar {
  const bounded = partitions.filter(({ from, to, isDefault }) => !isDefault && from !== null && to !== null)
  const sizes = bounded.length === 1 ? [1] : NEWEST.filter((size, at) => at === 0 || size < bounded.length)
  let possible: readonly string[] | null = isInstant(kind) ? null : []
  for (const size of sizes) {
    const newest = bounded.slice(-size)
    const [first] = excludeByOlder(fittingOf(newest, kind, zones), bounded, kind)
    if (first !== undefined) return { found: first, zones: [] }
    // Test all other zones only once and only if needed: it takes a third of a second.
    possible ??= others.filter((zone) => beginDays(bounded.slice(-2), kind, zone))
    if (possible.length === 0) continue
    const left = excludeByOlder(fittingOf(newest, kind, possible), bounded, kind)
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
    const of = matchingPeriods(newest, spec, kind)
    if (of !== null && of.length > 0) fitting.push({ spec, of })
  }
  return fitting
}

/**
 * Uses older partitions to exclude candidates: in winter, for example, days begin at the same time in London and in
 * UTC.
 * @returns the remaining candidates, preferred ones first; several if they cannot be distinguished
 */
function excludeByOlder(
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

/** True if every bound is a start of a day in the zone: a fast filter that excludes most zones. */
function beginDays(partitions: readonly RangePartition[], kind: ValueKind, zone: string): boolean {
  return allBeginDays(
    partitions.flatMap(({ from, to }) => [from, to]),
    kind,
    zone,
  )
}

/** Periods equal to the partitions; null if a partition equals no period. */
export function matchingPeriods(
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

/**
 * Calendars to compare with the bounds. In one zone, no two of them share a period: for example, quarters that begin in
 * April and quarters that begin in May have no period in common.
 */
function* candidates(kind: ValueKind, zones: readonly string[]): Iterable<CalendarSpec> {
  const inZones = isInstant(kind) ? [...new Set(zones)] : [zones[0] ?? DEFAULT_CALENDAR.zone]
  for (const zone of inZones) {
    const base = { ...DEFAULT_CALENDAR, zone }
    yield { ...base, unit: 'month' }
    for (const firstMonth of [1, 2, 3]) yield { ...base, unit: 'quarter', firstMonth }
    yield { ...base, unit: 'day' }
    for (let firstWeekday = 1; firstWeekday <= 7; firstWeekday++) yield { ...base, unit: 'week', firstWeekday }
    for (let firstMonth = 1; firstMonth <= 12; firstMonth++) yield { ...base, unit: 'year', firstMonth }
  }
}
