/** Retries work outside of chunks after a broken connection or an overloaded server. */
import { setTimeout as sleep } from 'node:timers/promises'
import { throwIfAborted } from '../../../shared/abort.ts'
import { Attempts } from '../../../shared/attempts.ts'
import { asSluiceError, type SluiceError } from '../../../shared/errors.ts'
import type { Emit } from '../../../model/run/event.ts'
import { isOverload } from './failure.ts'
import { ReportedFailures } from './failure-events.ts'

/** Context for the events of retries. @property retryMs minimum time of retries, ms; default: `RETRY_MS` */
export type RetryContext = { readonly name?: string; readonly emit: Emit<'log'>; readonly retryMs?: number }

/**
 * @param body can safely run more than once
 * @param stop ends the waiting
 * @param isTransient returns true for errors after which to retry
 * @throws errors of `body` that are not transient; the stop's reason
 */
export async function withRetries<T>(
  body: () => Promise<T>,
  { name, emit, retryMs }: RetryContext,
  stop: AbortSignal,
  isTransient: (error: SluiceError) => boolean = ({ retryable }) => retryable,
): Promise<T> {
  const failures = new ReportedFailures(emit, name)
  const attempts = new Attempts(retryMs)
  for (;;) {
    try {
      const done = await body()
      failures.passed('the run continues')
      return done
    } catch (thrown) {
      const error = asSluiceError(thrown)
      const waitMs = isTransient(error) ? attempts.failed() : null
      if (waitMs === null) throw thrown
      failures.failed(error, 'trying again')
      await sleep(waitMs, undefined, { signal: stop }).catch(() => undefined)
      throwIfAborted(stop)
    }
  }
}

/**
 * Opens a store, and retries while its server is overloaded. An unreachable server is not retried: the URL is probably
 * misspelt. @throws as `withRetries`
 */
export function openWithRetries<T>(open: () => Promise<T>, reported: RetryContext, stop: AbortSignal): Promise<T> {
  return withRetries(open, reported, stop, (error) => error.retryable && isOverload(error))
}
