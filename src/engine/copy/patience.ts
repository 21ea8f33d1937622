/** Work on a table outside of its chunks, which a broken line or a busy server must not end either. */
import { setTimeout as sleep } from 'node:timers/promises'
import { throwIfAborted } from '../../shared/abort.ts'
import { asSluiceError } from '../../shared/errors.ts'
import type { TableContext } from './context.ts'
import { MOST_ATTEMPTS, pauseAfter } from './failure.ts'

/**
 * @param body may be run again whatever became of it
 * @param stop ends the waiting
 * @throws what `body` throws, unless that passes by itself; the stop's reason
 */
export async function patiently<T>(
  body: () => Promise<T>,
  { name, emit }: Pick<TableContext, 'name' | 'emit'>,
  stop: AbortSignal,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await body()
    } catch (thrown) {
      const error = asSluiceError(thrown)
      if (!error.retryable || attempt >= MOST_ATTEMPTS) throw thrown
      emit({ type: 'log', level: 'warn', table: name, message: `${error.message}; trying again` })
      await sleep(pauseAfter(attempt), undefined, { signal: stop }).catch(() => undefined)
      throwIfAborted(stop)
    }
  }
}
