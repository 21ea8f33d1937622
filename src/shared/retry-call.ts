/** Retries calls while they fail because of another program. */
import { restUnder, throwIfAborted, type Interrupt } from './abort.ts'
import type { Clock } from './clock.ts'
import { SluiceError, type ErrorCode } from './errors.ts'

const TRY_EVERY_MS = 200

/** Retries `act` until it succeeds or the time is over. */
export type RetryCall = <T>(act: () => Promise<T>) => Promise<T>

/**
 * Returns a function that retries a call while it fails with `code`. It throws that error once the time is over, any
 * other error at once, and the reason of a stop.
 * @param code of the error that another program causes
 * @property waitMs total time for all its calls, ms
 * @property onNote is called once, before the first pause
 */
export function retryFor(
  code: ErrorCode,
  {
    clock,
    waitMs,
    interrupt,
    onNote,
  }: {
    readonly clock: Clock
    readonly waitMs: number
    readonly interrupt: Interrupt
    readonly onNote: (message: string) => void
  },
): RetryCall {
  const deadline = clock.ticks() + waitMs
  let isNoted = false
  return async (act) => {
    for (;;) {
      try {
        return await act()
      } catch (error) {
        if (!(error instanceof SluiceError) || error.code !== code || clock.ticks() >= deadline) throw error
        if (!isNoted) onNote(`waits: ${error.message} (${error.where ?? ''})`)
        isNoted = true
        await restUnder(interrupt.stop, TRY_EVERY_MS)
        throwIfAborted(interrupt.stop)
      }
    }
  }
}
