/**
 * Write times of repaired values. Repaired values get the write times of the source. Values that the target wrote later
 * stay, unless the user overwrites them.
 */
import type { TablePlan } from '../../../model/copy/plan.ts'
import { canonicalCellText } from '../../../model/copy/canonical.ts'
import type { Cell, Row, WriteTimes } from '../../../model/copy/rows.ts'
import type { CassandraOptions } from '../operations/copy/option-types.ts'

/** A row with the write times and TTLs of its values, where both systems keep them. */
export type Timed = { readonly row: Row; readonly stamp: WriteTimes | null }

/** Options of a run that replace the source's write times and TTLs. */
export type TimeOptions = Pick<CassandraOptions, 'ttl' | 'writetime' | 'dropStamps' | 'timesOf' | 'livesOf'>

export type RowRepair = {
  readonly row: Row
  /** Absent if values are written with the current time. */
  readonly stamp?: WriteTimes
  /** Source names of columns whose values the target wrote later; they stay. */
  readonly newer: readonly string[]
}

/** Tolerance between two expiry times: each system counts in whole seconds of its own clock. */
export const EXPIRY_TOLERANCE_MS = 2000

/**
 * @param target null for a missing row
 * @param overwriteNewer overwrite values that the target wrote later
 * @param lifetimes also repair values with a different expiry
 */
export function repairOf(
  plan: TablePlan,
  source: Timed,
  target: Timed | null,
  options: TimeOptions,
  overwriteNewer: boolean,
  lifetimes = false,
): RowRepair {
  const own = source.stamp === null || options.dropStamps === true ? null : requestedStamp(plan, source.stamp, options)
  if (own === null) return { row: source.row, newer: [] }
  if (target === null || target.stamp === null) return { row: source.row, stamp: own, newer: [] }
  const times = [...own.times]
  const newer: string[] = []
  for (const [at, { from }] of plan.columns.entries()) {
    const there = target.stamp.times[at] ?? null
    const time = own.times[at] ?? null
    const cell = source.row[at] ?? null
    const isSame = isEqualCell(cell, target.row[at] ?? null) && !(lifetimes && hasOtherExpiry(source, target, at))
    if (there === null || isSame) continue
    // The time of a removal at the source is unknown. Use the target's time: at equal times a removal wins, and later
    // writes stay.
    if (cell === null) times[at] = there
    else if (time === null || time > there) continue
    // If both times are equal, the larger value wins, on whichever side it is. So write one unit later.
    else if (time === there || overwriteNewer) times[at] = there + 1n
    else newer.push(from)
  }
  return { row: source.row, stamp: { ...own, times }, newer }
}

/** Write times and TTLs of the source, unless the run sets others. */
function requestedStamp({ columns }: TablePlan, stamp: WriteTimes, options: TimeOptions): WriteTimes {
  const { times, lifetimes, readMs } = stamp
  const at = (names: readonly string[] | undefined): readonly number[] | null =>
    names === undefined ? null : names.flatMap((name) => columns.flatMap(({ to }, i) => (to === name ? [i] : [])))
  const timesAt = at(options.timesOf)
  const lifetimesAt = at(options.livesOf)
  const fixed = options.writetime === undefined ? null : BigInt(options.writetime)
  const one =
    fixed ??
    (timesAt === null ? null : timesAt.reduce<bigint | null>((latest, i) => later(latest, times[i] ?? null), null))
  const life =
    options.ttl ??
    (lifetimesAt === null ? undefined : lifetimesAt.reduce((longest, i) => Math.max(longest, lifetimes[i] ?? 0), 0))
  return {
    // A TTL set by the run begins at the write.
    ...(options.ttl !== undefined || readMs === undefined ? {} : { readMs }),
    times: one === null ? times : times.map((time) => (time === null ? null : one)),
    lifetimes: life === undefined ? lifetimes : lifetimes.map((_, i) => (times[i] == null || life === 0 ? null : life)),
  }
}

function later(a: bigint | null, b: bigint | null): bigint | null {
  if (a === null || b === null) return a ?? b
  return a > b ? a : b
}

/** Columns whose expiry times differ, with both times as text. */
export function differingLifetimes(
  plan: TablePlan,
  source: Timed,
  target: Timed,
): readonly { readonly column: string; readonly source: string; readonly target: string }[] {
  return plan.columns.flatMap(({ from }, at) =>
    hasOtherExpiry(source, target, at)
      ? [{ column: from, source: expiryText(source, at), target: expiryText(target, at) }]
      : [],
  )
}

/** True if the expiry times of a column differ by more than the tolerance, or if only one value expires. */
function hasOtherExpiry(source: Timed, target: Timed, at: number): boolean {
  // A value without a write time has no TTL either: keys, collections, missing values.
  if (source.stamp?.times[at] == null || target.stamp?.times[at] == null) return false
  const [here, there] = [expiryOf(source, at), expiryOf(target, at)]
  if (here === null || there === null) return here !== there
  return Math.abs(here - there) > EXPIRY_TOLERANCE_MS
}

/** Milliseconds since 1970; null for a value that never expires. */
export function expiryOf({ stamp }: Timed, at: number): number | null {
  const life = stamp?.lifetimes[at] ?? null
  return life === null ? null : (stamp?.readMs ?? 0) + life * 1000
}

function expiryText(timed: Timed, at: number): string {
  const expiry = expiryOf(timed, at)
  return expiry === null ? 'never expires' : `expires ${new Date(expiry).toISOString()}`
}

export function isEqualCell(a: Cell, b: Cell): boolean {
  if (a === null || b === null) return a === b
  return typeof a === typeof b && canonicalCellText(a) === canonicalCellText(b)
}
