/** Rows and bytes in each period of a table, and in each slice of it. */
import type { CalendarSpec } from '../model/calendar/calendar.ts'
import type { Period } from '../model/calendar/period.ts'
import type { PartitionPlanStore, TableToPartition, Sampled } from '../model/partition/plan-port.ts'
import { placedPeriod } from './coverage.ts'
import { periodsOfYears } from './planned-periods.ts'
import { slicesOf, type SliceUnit } from '../model/calendar/slices.ts'

export type FilledSlice = {
  readonly period: Period
  readonly from: string
  readonly to: string
  readonly rows: bigint
  /** Error margin of the row count; null if counted. */
  readonly off: bigint | null
  readonly bytes: bigint
}

export type FilledPeriod = FilledSlice & { readonly slices: readonly FilledSlice[] }

export type Filled = {
  readonly periods: readonly FilledPeriod[]
  readonly sampled: Sampled
  /** True if periods that are not listed may contain rows. */
  readonly unseen: boolean
}

/** Periods with rows, in order; slices without rows are left out. */
export async function filledPeriods(
  { plan, signal }: { readonly plan: PartitionPlanStore; readonly signal: AbortSignal },
  planned: TableToPartition,
  spec: CalendarSpec,
  years: { readonly first: number; readonly last: number } | null,
  { slices: unit, exact }: { readonly slices?: SliceUnit | undefined; readonly exact: boolean },
): Promise<Filled> {
  if (years === null) return { periods: [], sampled: null, unseen: false }
  const cut = periodsOfYears(spec, years).flatMap((period) =>
    slicesOf(spec, period, unit ?? null).flatMap((part) => {
      const slice = placedPeriod(spec, part, planned.kind)
      // Leave out a slice for a day that the zone skips.
      return slice.low < slice.high ? [{ period, slice }] : []
    }),
  )
  const bounds = [...cut.map(({ slice }) => slice.from), cut.at(-1)?.slice.to ?? '']
  const { buckets, sampled } = await plan.spread(planned, bounds, exact, signal)
  const periods = new Map<Period, FilledSlice[]>()
  for (const [at, { period, slice }] of cut.entries()) {
    const bucket = buckets[at]
    if (bucket === undefined || bucket.rows === 0n) continue
    const slices = periods.get(period) ?? []
    slices.push({ period: slice.period, from: slice.from, to: slice.to, ...bucket })
    periods.set(period, slices)
  }
  const unseen = buckets.some(({ rows, off }) => rows === 0n && off !== null)
  return {
    periods: [...periods].map(([period, slices]) => totalOfSlices(spec, period, slices, planned)),
    sampled,
    unseen,
  }
}

function totalOfSlices(
  spec: CalendarSpec,
  period: Period,
  slices: readonly FilledSlice[],
  { kind }: TableToPartition,
): FilledPeriod {
  const { from, to } = placedPeriod(spec, period, kind)
  const sum = (of: (slice: FilledSlice) => bigint): bigint => slices.reduce((all, slice) => all + of(slice), 0n)
  const estimated = slices.some(({ off }) => off !== null)
  // Add up the error margins: a block contains rows of neighbouring slices, so their errors do not cancel out.
  return {
    period,
    from,
    to,
    rows: sum(({ rows }) => rows),
    off: estimated ? sum(({ off }) => off ?? 0n) : null,
    bytes: sum(({ bytes }) => bytes),
    slices,
  }
}
