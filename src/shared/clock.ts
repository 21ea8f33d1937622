/** Time as a parameter, so that tests can stop it. */
export type Clock = {
  /** Wall clock, milliseconds since the epoch. */
  now(): number
  /** Monotonic milliseconds from any origin, for durations. */
  ticks(): number
}

export const systemClock: Clock = { now: () => Date.now(), ticks: () => performance.now() }

/** `2026-11-20T12:04:16.204Z`. */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString()
}
