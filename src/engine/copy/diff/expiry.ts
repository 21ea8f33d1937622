/** Expiry of rows: an undo restores a value only for the time it had left; rows missing in the source may have expired. */
import type { TablePlan } from '../../../model/copy/plan.ts'
import type { Row, WriteTimes } from '../../../model/copy/rows.ts'
import type { Expiry } from '../ledger/repairs.ts'
import { expiryOf, type Timed } from './times.ts'

/** For advice to remove rows of the target: the TTL of a row itself is not copied, so it may only have expired. */
export const EXPIRED = 'rows may be missing there only because they have expired'

/** `EXPIRED` in brackets; empty if no row can have expired. */
export function expiredCaution(plan: TablePlan): string {
  return mayHaveExpired(plan) ? ` (${EXPIRED})` : ''
}

/** True if a row that the source does not have may have had a TTL there. Counters have none. */
export function mayHaveExpired({ source, columns }: TablePlan): boolean {
  return source.times !== undefined && !columns.some(({ source: { native } }) => native === 'counter')
}

/** @returns null if no value expires */
export function expiryOfRow(timed: Timed): Expiry | null {
  const { row, stamp } = timed
  if (stamp === null) return null
  const expiry = row.map((_, at) => ((stamp.times[at] ?? null) === null ? null : (expiryOf(timed, at) ?? 0)))
  return expiry.some((ms) => ms !== null && ms > 0) ? expiry : null
}

/** The row without values that have expired; null if the row as a whole has expired. */
export function unexpired({ columns }: TablePlan, row: Row, expiry: Expiry, nowMs: number): Row | null {
  const isOver = (at: number): boolean => remainingTtl(expiry, at, nowMs) === 0
  // A row exists as long as one of its regular columns has a value. Static values belong to its partition.
  const isOwn = (at: number): boolean => columns[at]?.target.static !== true
  const timed = [...row.keys()].filter((at) => expiry[at] != null)
  const own = timed.some(isOwn) ? timed.filter(isOwn) : timed
  if (own.every(isOver)) return null
  return row.map((cell, at) => (isOver(at) ? null : cell))
}

/** Returns the current time as write time, and remaining TTLs. @param expiry null if no value of the row expires */
export function stampUntil(row: Row, expiry: Expiry | null, nowMs: number): WriteTimes {
  const now = BigInt(nowMs) * 1000n
  const isTimed = (at: number): boolean => row[at] !== null && (expiry === null || expiry[at] != null)
  return {
    times: row.map((_, at) => (isTimed(at) ? now : null)),
    lifetimes: row.map((_, at) => (isTimed(at) && expiry !== null ? remainingTtl(expiry, at, nowMs) : null)),
    readMs: nowMs,
  }
}

/** Seconds left, 0 if the value has expired; null if it never expires. */
function remainingTtl(expiry: Expiry, at: number, nowMs: number): number | null {
  const ms = expiry[at] ?? 0
  return ms === 0 ? null : Math.max(0, Math.floor((ms - nowMs) / 1000))
}
