/** Retries reads that an overloaded node refuses, with growing pauses. */
import { setTimeout as sleep } from 'node:timers/promises'
import { throwIfAborted } from '../../shared/abort.ts'
import type { CassandraLink } from './connect.ts'
import { cassandraFailure } from './failure.ts'

const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 5000

/**
 * Retries a read while a node is overloaded or starting, up to the link's retry limit.
 * @param read may run any number of times
 * @throws what `read` throws for any other cause, or after the retry limit
 */
export async function whileBusy<T>(
  read: () => Promise<T>,
  { settings, onRetry }: Pick<CassandraLink, 'settings' | 'onRetry'>,
  signal?: AbortSignal,
): Promise<T> {
  const until = performance.now() + settings.retryMs
  for (let attempt = 0; ; attempt++) {
    try {
      return await read()
    } catch (thrown) {
      if (signal !== undefined) throwIfAborted(signal)
      const { kind } = cassandraFailure(thrown)
      if ((kind !== 'overloaded' && kind !== 'bootstrapping') || performance.now() > until) throw thrown
      onRetry?.(thrown, attempt + 2, until - performance.now())
      const most = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(attempt, 20))
      await sleep(most * (0.25 + 0.75 * Math.random()), undefined, { signal }).catch(() => undefined)
    }
  }
}
