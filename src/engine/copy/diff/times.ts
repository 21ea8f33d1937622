/** When a value that is mended is written: as the source wrote it, and never behind the back of one that the target wrote later. */
import type { TablePlan } from '../../../model/copy/plan.ts'
import { cellText } from '../../../model/copy/canonical.ts'
import type { Cell, Row, Stamp } from '../../../model/copy/rows.ts'
import type { CassandraWish } from '../operations/copy/wishes.ts'

/** A row, and when its values were written, where both systems keep that. */
export type Timed = { readonly row: Row; readonly stamp: Stamp | null }

/** What a run says about times instead of the source. */
export type TimeWish = Pick<CassandraWish, 'ttl' | 'writetime' | 'dropStamps' | 'timesOf' | 'livesOf'>

export type Mend = {
  readonly row: Row
  /** Absent where values are written as of now. */
  readonly stamp?: Stamp
  /** Names of columns of the source whose values the target wrote later: they stay as they are. */
  readonly newer: readonly string[]
}

/** How far apart two moments of expiry may be: systems count in whole seconds, each in its own. */
export const LIVES_APART_MS = 2000

/**
 * @param target null for a row that is missing
 * @param overwriteNewer write over values that the target wrote later
 * @param lives values that expire at another moment are mended, too
 */
export function mendOf(
  plan: TablePlan,
  source: Timed,
  target: Timed | null,
  wish: TimeWish,
  overwriteNewer: boolean,
  lives = false,
): Mend {
  const own = source.stamp === null || wish.dropStamps === true ? null : wished(plan, source.stamp, wish)
  if (own === null) return { row: source.row, newer: [] }
  if (target === null || target.stamp === null) return { row: source.row, stamp: own, newer: [] }
  const times = [...own.times]
  const newer: string[] = []
  for (const [at, { from }] of plan.columns.entries()) {
    const there = target.stamp.times[at] ?? null
    const time = own.times[at] ?? null
    const cell = source.row[at] ?? null
    const isSame = sameCell(cell, target.row[at] ?? null) && !(lives && expiryApart(source, target, at))
    if (there === null || isSame) continue
    // When it was removed at the source nobody knows: of two at one time the removal counts, and what comes later stays.
    if (cell === null) times[at] = there
    else if (time === null || time > there) continue
    // Of two values at one time the larger one counts, whichever that is.
    else if (time === there || overwriteNewer) times[at] = there + 1n
    else newer.push(from)
  }
  return { row: source.row, stamp: { ...own, times }, newer }
}

/** The source's times and lives, as far as the run says nothing else. */
function wished({ columns }: TablePlan, stamp: Stamp, wish: TimeWish): Stamp {
  const { times, lives, readMs } = stamp
  const at = (names: readonly string[] | undefined): readonly number[] | null =>
    names === undefined ? null : names.flatMap((name) => columns.flatMap(({ to }, i) => (to === name ? [i] : [])))
  const timesAt = at(wish.timesOf)
  const livesAt = at(wish.livesOf)
  const fixed = wish.writetime === undefined ? null : BigInt(wish.writetime)
  const one =
    fixed ??
    (timesAt === null ? null : timesAt.reduce<bigint | null>((latest, i) => later(latest, times[i] ?? null), null))
  const life =
    wish.ttl ?? (livesAt === null ? undefined : livesAt.reduce((longest, i) => Math.max(longest, lives[i] ?? 0), 0))
  return {
    // What the run itself says counts from the writing.
    ...(wish.ttl !== undefined || readMs === undefined ? {} : { readMs }),
    times: one === null ? times : times.map((time) => (time === null ? null : one)),
    lives: life === undefined ? lives : lives.map((_, i) => (times[i] == null || life === 0 ? null : life)),
  }
}

function later(a: bigint | null, b: bigint | null): bigint | null {
  if (a === null || b === null) return a ?? b
  return a > b ? a : b
}

/** Columns whose values are equal and expire at different moments, with both moments. */
export function differingLives(
  plan: TablePlan,
  source: Timed,
  target: Timed,
): readonly { readonly column: string; readonly source: string; readonly target: string }[] {
  return plan.columns.flatMap(({ from }, at) =>
    expiryApart(source, target, at)
      ? [{ column: from, source: expiryText(source, at), target: expiryText(target, at) }]
      : [],
  )
}

function expiryApart(source: Timed, target: Timed, at: number): boolean {
  // What has no time has no life either: keys, collections, values that are not there.
  if (source.stamp?.times[at] == null || target.stamp?.times[at] == null) return false
  const [here, there] = [expiryOf(source, at), expiryOf(target, at)]
  if (here === null || there === null) return here !== there
  return Math.abs(here - there) > LIVES_APART_MS
}

/** Milliseconds since 1970; null for a value that never expires. */
export function expiryOf({ stamp }: Timed, at: number): number | null {
  const life = stamp?.lives[at] ?? null
  return life === null ? null : (stamp?.readMs ?? 0) + life * 1000
}

function expiryText(timed: Timed, at: number): string {
  const expiry = expiryOf(timed, at)
  return expiry === null ? 'never expires' : `expires ${new Date(expiry).toISOString()}`
}

export function sameCell(a: Cell, b: Cell): boolean {
  if (a === null || b === null) return a === b
  return typeof a === typeof b && cellText(a) === cellText(b)
}
