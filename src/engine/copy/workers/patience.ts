/** Work outside of chunks, which a broken line or a busy server must not end either. */
import { setTimeout as sleep } from 'node:timers/promises'
import { throwIfAborted } from '../../../shared/abort.ts'
import { Attempts } from '../../../shared/attempts.ts'
import { asSluiceError, type SluiceError } from '../../../shared/errors.ts'
import type { Emit } from '../../../model/run/event.ts'
import { isPressure } from './failure.ts'
import { ToldFailures } from './failure-events.ts'

/**
 * Whose work it is, for the events of its retries.
 * @property retryMs as of `Attempts`
 */
export type Told = { readonly name?: string; readonly emit: Emit<'log'>; readonly retryMs?: number }

/**
 * @param body may be run again whatever became of it
 * @param stop ends the waiting
 * @param passes for which failures there is a next time
 * @throws what `body` throws, unless that passes by itself; the stop's reason
 */
export async function patiently<T>(
  body: () => Promise<T>,
  { name, emit, retryMs }: Told,
  stop: AbortSignal,
  passes: (error: SluiceError) => boolean = ({ retryable }) => retryable,
): Promise<T> {
  const failures = new ToldFailures(emit, name)
  const attempts = new Attempts(retryMs)
  for (;;) {
    try {
      const done = await body()
      failures.passed('it goes on')
      return done
    } catch (thrown) {
      const error = asSluiceError(thrown)
      const waitMs = passes(error) ? attempts.failed() : null
      if (waitMs === null) throw thrown
      failures.failed(error, 'trying again')
      await sleep(waitMs, undefined, { signal: stop }).catch(() => undefined)
      throwIfAborted(stop)
    }
  }
}

/** Opens a store, again while its server says that it has too much to do. One that cannot be reached at all is more likely misspelt. @throws as `patiently` */
export function openPatiently<T>(open: () => Promise<T>, told: Told, stop: AbortSignal): Promise<T> {
  return patiently(open, told, stop, (error) => error.retryable && isPressure(error))
}
