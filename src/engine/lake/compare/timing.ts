/** Reduces durations of repeated runs to the figures that are shown. */

/** Medians within this factor are reported as even: repeated runs differ by as much. */
const EVEN = 1.05
/** Keeps ratios finite if the clock has not advanced. */
const LEAST_MS = 1e-6

export type TimingVerdict = { readonly faster: 'files' | 'sql' | 'even'; readonly factor: number }

/** The middle value; the mean of the two in the middle for an even number of values. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

/** 95th percentile by nearest rank. With fewer than 20 values, it is the largest value. */
export function p95(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * 0.95) - 1)] ?? Number.NaN
}

/** Whether files or SQL have the smaller warm median, and by which factor. */
export function verdict(filesMs: number, sqlMs: number): TimingVerdict {
  const files = Math.max(filesMs, LEAST_MS)
  const sql = Math.max(sqlMs, LEAST_MS)
  const factor = Math.max(files, sql) / Math.min(files, sql)
  const faster = factor <= EVEN ? 'even' : files < sql ? 'files' : 'sql'
  return { faster, factor: Math.round(factor * 100) / 100 }
}

/** Rounds to microseconds. */
export function roundMs(ms: number): number {
  return Math.round(ms * 1000) / 1000
}
