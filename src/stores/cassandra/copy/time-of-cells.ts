/** Write time and TTL of a value. For a collection of separate cells: the latest write time and the longest TTL. */

export type CellTime = {
  /** Microseconds since 1970, the latest of all cells; null without cells. */
  readonly time: bigint | null
  /** Seconds left, the longest of all cells; null if one of them never expires. */
  readonly life: number | null
  /** True if the cells differ in write time or TTL. */
  readonly isUneven: boolean
}

export const NO_TIME: CellTime = { time: null, life: null, isUneven: false }

/**
 * @param times result of the server's `writetime`: one time, or an array with a time for each cell. It is null for a
 * field of a user-defined type that has no value
 * @param lifetimes result of the server's `ttl`, in the same order
 */
export function timeOfCells(times: unknown, lifetimes: unknown): CellTime {
  if (!Array.isArray(times))
    return typeof times === 'bigint'
      ? { time: times, life: typeof lifetimes === 'number' ? lifetimes : null, isUneven: false }
      : NO_TIME
  const all: readonly unknown[] = times
  const left: readonly unknown[] = Array.isArray(lifetimes) ? lifetimes : []
  let sum: CellTime = NO_TIME
  for (const [at, time] of all.entries()) {
    if (typeof time !== 'bigint') continue
    const given = left[at]
    const life = typeof given === 'number' ? given : null
    if (sum.time === null) sum = { time, life, isUneven: false }
    else {
      const isUneven = sum.isUneven || time !== sum.time || life !== sum.life
      sum = { time: time > sum.time ? time : sum.time, life: longer(sum.life, life), isUneven }
    }
  }
  return sum
}

function longer(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : Math.max(a, b)
}
