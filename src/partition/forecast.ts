/** Expected copy times of partitions from a measured rate, and the rate that a window requires. */

const MS_OF_HOUR = 3_600_000

/** @param ms duration of the copy; 0 gives 0 bytes per hour */
export function bytesPerHour(bytes: bigint, ms: number): bigint {
  return ms <= 0 ? 0n : BigInt(Math.round((Number(bytes) / ms) * MS_OF_HOUR))
}

/** Bytes per hour required to copy this many bytes within a window. */
export function neededPerHour(bytes: bigint, windowMs: number): bigint {
  return bytesPerHour(bytes, windowMs)
}

/** Time for this many bytes, ms; Infinity at rate 0. */
export function msFor(bytes: bigint, perHour: bigint): number {
  if (bytes === 0n) return 0
  return perHour === 0n ? Infinity : Math.round((Number(bytes) / Number(perHour)) * MS_OF_HOUR)
}

/**
 * Total time of slices copied in order by `sessions` concurrent sessions.
 * @param slices duration of each slice, ms
 */
export function totalCopyTime(slices: readonly number[], sessions: number): number {
  const busy = Array.from({ length: Math.max(1, sessions) }, () => 0)
  for (const ms of slices) {
    const free = busy.indexOf(Math.min(...busy))
    busy[free] = (busy[free] ?? 0) + ms
  }
  return Math.max(...busy)
}
