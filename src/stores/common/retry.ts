/** Retries after transient errors, with pauses that double and are randomised so that clients do not retry in step. */
import { setTimeout as sleepFor } from 'node:timers/promises'
import { systemClock, type Clock } from '../../shared/clock.ts'

const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 5000

export type RetryOptions = {
  /** True if the same call may succeed later without any change. */
  transient(error: unknown): boolean
  /** How long after the first failure another attempt may begin, ms; 0: no retries. */
  readonly forMs: number
  readonly clock?: Pick<Clock, 'ticks'>
  /** Called before each pause with the failure, the number of attempts made so far and the pause in milliseconds. */
  onRetry?(error: unknown, attempts: number, pauseMs: number): void
  /** A number in [0, 1). */
  random?(): number
  sleep?(ms: number): Promise<unknown>
}

/**
 * Runs the body until it succeeds, fails with an error that is not transient, or the time is over.
 * @param body gets the number of its attempt, from 1
 * @throws what the last attempt threw
 */
export async function retrying<T>(body: (attempt: number) => Promise<T>, options: RetryOptions): Promise<T> {
  const { forMs, clock = systemClock, random = Math.random, sleep = sleepFor } = options
  // Counted from the first failure: a call that fails after an hour still has the whole time for retries.
  let deadline: number | null = null
  for (let attempt = 1; ; attempt++) {
    try {
      return await body(attempt)
    } catch (error) {
      if (forMs <= 0 || !options.transient(error)) throw error
      deadline ??= clock.ticks() + forMs
      const pause = pauseBefore(attempt, random)
      if (clock.ticks() + pause > deadline) throw error
      options.onRetry?.(error, attempt, pause)
      await sleep(pause)
    }
  }
}

/** Random pause after this number of attempts, ms: from 0 to a limit that doubles with each attempt ("full jitter"). */
export function pauseBefore(attempts: number, random: () => number = Math.random): number {
  return random() * Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(attempts - 1, 30))
}
