/** Coverage of a table by its partitions: gaps, and required periods that are missing. */
import { isDayStart, boundsFor } from '../model/calendar/bounds.ts'
import type { CalendarSpec } from '../model/calendar/calendar.ts'
import { dayText, FIRST_DAY, LAST_DAY, parseDay } from '../model/calendar/civil.ts'
import { ordinalOf } from '../model/calendar/ordinal.ts'
import { nextPeriod, periodOf, periodOfNumber, type Period } from '../model/calendar/period.ts'
import { isInstant, readValue, valueText, type ValueKind } from '../model/calendar/value-text.ts'
import { dayAt, MS_OF_DAY } from '../model/calendar/zone.ts'
import { SluiceError } from '../shared/errors.ts'
import type { RangePartition, PrintedBounds } from '../model/partition/maintenance-port.ts'

/** Limit of new partitions per run: a year of days. */
const MOST_AT_ONCE = 400
/** Limit of `--ahead`. */
export const MOST_AHEAD = 200

/** Partitions longer than this, in ms, are considered a mistake. */
const YEARS_AT_ONCE = 2 * 366 * MS_OF_DAY

/** `ahead`: whole periods after the current one. */
export type CoverageRequest = { readonly now: Date; readonly ahead: number }

/** A partition with its bounds as numbers: milliseconds, infinite if open. */
export type PlacedPartition = { readonly partition: RangePartition; readonly low: number; readonly high: number }

/** Partitions sorted by lower bound, without default partitions and partitions whose bounds are not times. */
export function placedPartitions(partitions: readonly RangePartition[], kind: ValueKind): readonly PlacedPartition[] {
  return partitions
    .flatMap((partition): PlacedPartition[] => {
      if (partition.isDefault) return []
      const low = partition.from === null ? -Infinity : readValue(partition.from, kind)?.at
      const high = partition.to === null ? Infinity : readValue(partition.to, kind)?.at
      return low === undefined || high === undefined ? [] : [{ partition, low, high }]
    })
    .toSorted((a, b) => a.low - b.low)
}

/** A gap between two partitions, with their bounds. */
export type Gap = PrintedBounds & { readonly low: number; readonly high: number; readonly before: RangePartition }

/** Gaps between partitions. @param all sorted by lower bound; partitions may overlap in systems that allow it */
export function coverageGaps(all: readonly PlacedPartition[]): readonly Gap[] {
  const gaps: Gap[] = []
  let last: PlacedPartition | null = null
  for (const next of all) {
    if (last !== null && last.high < next.low) {
      const { to } = last.partition
      gaps.push({ from: to, to: next.partition.from, low: last.high, high: next.low, before: last.partition })
    }
    last = laterEnd(last, next)
  }
  return gaps
}

/** The current period of the calendar. */
export function currentPeriod(spec: CalendarSpec, now: Date): Period {
  return periodOf(spec, dayText(dayAt(spec.zone, now.getTime())))
}

/** A period with its bounds as the column prints them, and as numbers. */
export type PlacedPeriod = {
  readonly period: Period
  readonly from: string
  readonly to: string
  readonly low: number
  readonly high: number
}

export function placedPeriod(spec: CalendarSpec, period: Period, kind: ValueKind): PlacedPeriod {
  const { from, to } = boundsFor(spec, period, kind)
  return { period, from, to, low: atOf(from, kind), high: atOf(to, kind) }
}

/**
 * As `placedPeriod`, but never with a gap or an overlap of one hour at a neighbour. If midnight occurs twice on a day,
 * the bound is the midnight that the neighbour uses.
 * @param edges bounds of other partitions
 */
function alignedPeriod(spec: CalendarSpec, period: Period, kind: ValueKind, edges: readonly number[]): PlacedPeriod {
  const own = placedPeriod(spec, period, kind)
  const placed = (day: string, at: number): number => {
    const near = edges.filter((edge) => Math.abs(edge - at) < MS_OF_DAY)
    return near.includes(at) ? at : (near.find((edge) => isDayStart(spec, day, edge, kind)) ?? at)
  }
  const [low, high] = [placed(period.from, own.low), placed(period.to, own.high)]
  return { period, from: valueText(low, kind), to: valueText(high, kind), low, high }
}

export type UncoveredPeriods = {
  /** Required periods that no partition overlaps, in order. */
  readonly missing: readonly PlacedPeriod[]
  /** Required periods that are covered only in part, each with a partition that covers a part of it. */
  readonly overlaps: readonly { readonly period: PlacedPeriod; readonly partition: RangePartition }[]
}

/**
 * Required periods that are missing or only partly covered. The current period and the `ahead` next ones are required.
 * If a schedule did not run, the periods since the end of the last partition that has begun are required, too.
 */
export function uncoveredPeriods(
  all: readonly PlacedPartition[],
  spec: CalendarSpec,
  kind: ValueKind,
  { now, ahead }: CoverageRequest,
): UncoveredPeriods {
  const missing: PlacedPeriod[] = []
  const overlaps: { period: PlacedPeriod; partition: RangePartition }[] = []
  const edges = all.flatMap(({ low, high }) => [low, high])
  for (const period of requiredPeriods(all, spec, kind, { now, ahead })) {
    const options = alignedPeriod(spec, period, kind, edges)
    // The zone skips the day of this period: leave it out.
    if (options.low >= options.high) continue
    const meets = all.filter(({ low, high }) => low < options.high && high > options.low)
    if (meets.length === 0) missing.push(options)
    else if (!isCovered(meets, options)) {
      for (const { partition } of meets) overlaps.push({ period: options, partition })
    }
  }
  return { missing, overlaps }
}

/** Periods completely within a gap; none if the gap begins before the year 1, or has more than MOST_AT_ONCE periods. */
export function periodsWithin(spec: CalendarSpec, gap: Gap, kind: ValueKind): readonly PlacedPeriod[] {
  const found: PlacedPeriod[] = []
  let period = Number.isFinite(gap.low) ? periodOfNumber(spec, dayIn(spec, gap.low, kind)) : null
  while (period !== null) {
    const options = alignedPeriod(spec, period, kind, [gap.low, gap.high])
    if (options.low >= gap.high) break
    if (options.low >= gap.low && options.high <= gap.high && options.low < options.high) found.push(options)
    if (found.length > MOST_AT_ONCE) return []
    period = periodOfNumber(spec, parseDay(period.to))
  }
  return found
}

/**
 * The unbounded partition that covers required periods; null if there is none. Never the default partition, because
 * other partitions can be created in addition to it.
 * @param ahead whole periods after the current one
 */
export function unboundedPartition(
  all: readonly PlacedPartition[],
  spec: CalendarSpec,
  kind: ValueKind,
  { now, ahead }: CoverageRequest,
): PlacedPartition | null {
  const { high: end } = placedPeriod(spec, nextPeriod(spec, currentPeriod(spec, now), ahead), kind)
  return all.find((one) => isEndless(one) && one.low < end) ?? null
}

/**
 * A partition longer than two years that contains several required periods, and these periods: they are covered, but
 * not separately. Null if there is none; unbounded ones are found by `unboundedPartition`.
 */
export function oversizedPartition(
  all: readonly PlacedPartition[],
  spec: CalendarSpec,
  kind: ValueKind,
  options: CoverageRequest,
): { readonly partition: RangePartition; readonly periods: readonly PlacedPeriod[] } | null {
  const periods = requiredPeriods(all, spec, kind, options).map((period) => placedPeriod(spec, period, kind))
  for (const one of all) {
    if (isEndless(one) || one.high - one.low <= YEARS_AT_ONCE) continue
    const inIt = periods.filter(({ low, high }) => low >= one.low && high <= one.high)
    if (inIt.length > 1) return { partition: one.partition, periods: inIt }
  }
  return null
}

/** True if the upper bound is 9999-12-31 or later, which means "no end" where a bound must be a day. */
export function isEndless({ high }: Pick<PlacedPartition, 'high'>): boolean {
  return high >= LAST_DAY * MS_OF_DAY
}

/** Last partition of the gapless sequence that begins with the partition containing `now`; null if none contains it. */
export function coveredTo(all: readonly PlacedPartition[], now: number): PlacedPartition | null {
  let last: PlacedPartition | null = null
  for (const one of all) {
    if (last === null ? one.low <= now && one.high > now : one.low <= last.high && one.high > last.high) last = one
  }
  return last
}

/** Required periods in order, with or without partitions. */
function requiredPeriods(
  all: readonly PlacedPartition[],
  spec: CalendarSpec,
  kind: ValueKind,
  { now, ahead }: CoverageRequest,
): readonly Period[] {
  const today = currentPeriod(spec, now)
  const end = nextPeriod(spec, today, ahead)
  const { low: begin, high: over } = placedPeriod(spec, today, kind)
  const last = all.filter(({ low }) => low < over).reduce<PlacedPartition | null>(laterEnd, null)
  if (last === null || last.high >= begin) return periodsUpTo(spec, today, end) ?? refuseMany(spec, today.from, end)
  const missed = periodsUpTo(spec, periodOfNumber(spec, dayIn(spec, last.high, kind)), end)
  if (missed !== null) return missed
  // If later partitions exist, the gap is reported instead.
  const wentOn = all.some(({ low }) => low >= over)
  return (wentOn ? periodsUpTo(spec, today, end) : null) ?? refuseMany(spec, last.partition.to ?? today.from, end)
}

/** Periods from `first` to `end`; null if there are too many, or if they begin before the year 1. */
function periodsUpTo(spec: CalendarSpec, first: Period | null, end: Period): readonly Period[] | null {
  const periods: Period[] = []
  for (let period = first; period === null || period.from <= end.from; period = nextPeriod(spec, period)) {
    if (period === null || periods.length === MOST_AT_ONCE) return null
    periods.push(period)
  }
  return periods
}

/** Number of whole periods from the current one to a time; null if that time is outside of the years 1 to 9999. */
export function periodsAhead(spec: CalendarSpec, at: number, kind: ValueKind, now: Date): number | null {
  const period = Number.isFinite(at) ? periodOfNumber(spec, dayIn(spec, at, kind)) : null
  const today = currentPeriod(spec, now)
  return period === null ? null : ordinalOf(spec, parseDay(period.from)) - ordinalOf(spec, parseDay(today.from))
}

/** The range after the required periods, up to the limit of `--ahead`; null if it is empty. */
export function rangeAfterRequired(
  spec: CalendarSpec,
  kind: ValueKind,
  { now, ahead }: CoverageRequest,
): PlacedPeriod | null {
  const [first, end] = [ahead + 1, MOST_AHEAD].map((n) =>
    placedPeriod(spec, nextPeriod(spec, currentPeriod(spec, now), n), kind),
  )
  return first === undefined || end === undefined || first.low >= end.high
    ? null
    : { ...first, to: end.to, high: end.high }
}

function laterEnd(last: PlacedPartition | null, next: PlacedPartition): PlacedPartition {
  return last !== null && last.high >= next.high ? last : next
}

function isCovered(meets: readonly PlacedPartition[], options: PlacedPeriod): boolean {
  let reached = options.low
  for (const { low, high } of meets) if (low <= reached) reached = Math.max(reached, high)
  return reached >= options.high
}

/** Day number of a value (civil.ts). */
function dayIn({ zone }: CalendarSpec, at: number, kind: ValueKind): number {
  const day = Math.floor(at / MS_OF_DAY)
  // No time zone is applied to days outside FIRST_DAY to LAST_DAY.
  return isInstant(kind) && day >= FIRST_DAY && day <= LAST_DAY ? dayAt(zone, at) : day
}

function atOf(text: string, kind: ValueKind): number {
  const value = readValue(text, kind)
  if (value === null) throw new Error(`a bound of our own is no ${kind}: ${text}`)
  return value.at
}

function refuseMany({ unit }: CalendarSpec, from: string, end: Period): never {
  throw new SluiceError(
    'BAD_FLAG',
    `too many periods from ${from} to ${end.label}: more than ${MOST_AT_ONCE} of one ${unit} each`,
    {
      reason: 'the newest partition ended long ago, or --ahead is too large',
      hint: 'create the partition before the current one by hand, or give a smaller --ahead',
    },
  )
}
