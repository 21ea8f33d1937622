/** How long partitions take to fill, by what was measured, and what a window asks for. */

const MS_OF_HOUR = 3_600_000

/** @param ms in which so many bytes were copied; 0 bytes an hour where nothing was */
export function bytesPerHour(bytes: bigint, ms: number): bigint {
  return ms <= 0 ? 0n : BigInt(Math.round((Number(bytes) / ms) * MS_OF_HOUR))
}

/** What so many bytes ask for to be copied within a window, ms. */
export function neededPerHour(bytes: bigint, windowMs: number): bigint {
  return bytesPerHour(bytes, windowMs)
}

/** How long so many bytes take, ms; Infinity where nothing moves. */
export function msFor(bytes: bigint, perHour: bigint): number {
  if (bytes === 0n) return 0
  return perHour === 0n ? Infinity : Math.round((Number(bytes) / Number(perHour)) * MS_OF_HOUR)
}

/**
 * How long slices take where so many are copied at the same time and the next begins as soon as a lane is free, in their order.
 * @param slices ms of each
 */
export function spanOf(slices: readonly number[], lanes: number): number {
  const busy = Array.from({ length: Math.max(1, lanes) }, () => 0)
  for (const ms of slices) {
    const free = busy.indexOf(Math.min(...busy))
    busy[free] = (busy[free] ?? 0) + ms
  }
  return Math.max(...busy)
}
