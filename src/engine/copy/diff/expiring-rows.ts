/**
 * Values that expire during a comparison. A difference is not reported if one side stops returning such a value
 * only slightly earlier than the other side.
 */
import type { TablePlan } from '../../../model/copy/plan.ts'
import { areStamped, type DiffSides } from './sides.ts'
import { expiryOf, EXPIRY_TOLERANCE_MS, isEqualCell, type Timed } from './times.ts'

/**
 * Returns a time limit: a value that expires by then may be missing on one side although the other side still returned
 * it. Covers the duration of the read, the whole seconds of both servers and their clock offsets.
 * @param begunMs when both sides were queried, in milliseconds since 1970
 * @param rows of both sides
 * @returns milliseconds since 1970; 0 if no value expires
 */
export async function latestExpiry(
  { plan, source, target }: DiffSides,
  begunMs: number,
  rows: Iterable<Timed>,
): Promise<number> {
  const now = Date.now()
  if (!areStamped(plan) || ![...rows].some(({ stamp }) => stamp?.lifetimes.some((life) => life !== null) === true))
    return 0
  const apart = await Promise.all([source, target].map(async (view) => (await view.clockApartMs?.()) ?? 0))
  return now + (now - begunMs) + EXPIRY_TOLERANCE_MS + Math.max(...apart)
}

/** True if all differing values, or a row on one side only, expire by `until`. @param until result of `latestExpiry` */
export function isExpiring(
  plan: TablePlan,
  source: Timed | undefined,
  target: Timed | undefined,
  until: number,
): boolean {
  if (until === 0) return false
  const ends = (one: Timed, at: number): boolean => (expiryOf(one, at) ?? Number.POSITIVE_INFINITY) <= until
  const all = [...plan.columns.keys()]
  if (source !== undefined && target !== undefined) {
    const unlike = all.filter((at) => !isEqualCell(source.row[at] ?? null, target.row[at] ?? null))
    // Equal values with different expiry times are a difference.
    if (unlike.length === 0) return false
    return unlike.every((at) => {
      const [here, there] = [source.row[at] ?? null, target.row[at] ?? null]
      if (here !== null && there !== null) return false
      return ends(here === null ? target : source, at)
    })
  }
  const only = source ?? target
  if (only === undefined) return false
  // A row exists as long as one of its regular columns has a value. A partition without rows exists as long as one of
  // its static columns has a value.
  const key = all.filter((at) => plan.source.key.includes(plan.columns[at]?.from ?? ''))
  const isRow = key.every((at) => (only.row[at] ?? null) !== null)
  const timed = all.filter(
    (at) => only.stamp?.times[at] != null && (plan.columns[at]?.source.static === true) !== isRow,
  )
  return timed.length > 0 && timed.every((at) => ends(only, at))
}
