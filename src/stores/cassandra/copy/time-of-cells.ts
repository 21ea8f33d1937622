/** The write time and the time to live of a value: of a collection, whose elements are cells of their own, those of the whole. */

export type CellTime = {
  /** Microseconds since 1970, the latest of all cells; null where there are none. */
  readonly time: bigint | null
  /** Seconds that are left, the longest of all cells; null where one of them never expires. */
  readonly life: number | null
  /** Cells differ in one of both. */
  readonly isUneven: boolean
}

export const NO_TIME: CellTime = { time: null, life: null, isUneven: false }

/**
 * @param times of the server's `writetime`: one, or one for each cell, with null for a field of a user type that has no value
 * @param lives of its `ttl`, in the same order
 */
export function timeOfCells(times: unknown, lives: unknown): CellTime {
  if (!Array.isArray(times))
    return typeof times === 'bigint'
      ? { time: times, life: typeof lives === 'number' ? lives : null, isUneven: false }
      : NO_TIME
  const all: readonly unknown[] = times
  const left: readonly unknown[] = Array.isArray(lives) ? lives : []
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
