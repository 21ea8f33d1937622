/** Retry policy for work that fails for transient causes. */
import { systemClock, type Clock } from './clock.ts'

const FIRST_PAUSE_MS = 200
const LONGEST_PAUSE_MS = 30_000
/** Minimum number of attempts before work with transient failures is given up. */
const FEWEST_ATTEMPTS = 8
/**
 * How long work with transient failures is retried, ms, unless the URL of a store sets `retry_seconds`
 * (docs/reference/DATABASES.md).
 */
export const RETRY_MS = 60_000

/** Ms before another attempt: random up to a limit that doubles each time, so that workers do not retry in step. */
export function pauseAfter(attempts: number, random: () => number = Math.random): number {
  return Math.ceil(random() * Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(attempts - 1, 20)))
}

/** Attempts at one piece of work with transient failures. */
export class Attempts {
  readonly #retryMs: number
  readonly #clock: Pick<Clock, 'ticks'>
  #failures = 0
  #since: number | null = null

  /** @param retryMs minimum time from the first failure until the work is given up, ms */
  constructor(retryMs: number = RETRY_MS, clock: Pick<Clock, 'ticks'> = systemClock) {
    this.#retryMs = retryMs
    this.#clock = clock
  }

  /** Records a failure. @returns milliseconds before the next attempt; null if the work is given up */
  failed(): number | null {
    const now = this.#clock.ticks()
    this.#since ??= now
    this.#failures++
    if (this.#failures >= FEWEST_ATTEMPTS && now - this.#since >= this.#retryMs) return null
    return pauseAfter(this.#failures)
  }
}
