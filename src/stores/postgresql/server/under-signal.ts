/** Runs work on a session; an abort signal ends the session. */
import { throwIfAborted } from '../../../shared/abort.ts'
import type { CopySession } from './session.ts'

/** @throws SluiceError the signal's reason, whatever error the session ended with */
export async function underSignal<T>(session: CopySession, signal: AbortSignal, body: () => Promise<T>): Promise<T> {
  throwIfAborted(signal)
  const stop = (): void => session.destroy()
  signal.addEventListener('abort', stop)
  try {
    return await body()
  } catch (error) {
    throwIfAborted(signal)
    throw error
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

export async function* streamUnderSignal<T>(
  session: CopySession,
  signal: AbortSignal,
  items: AsyncIterable<T>,
): AsyncGenerator<T> {
  throwIfAborted(signal)
  const stop = (): void => session.destroy()
  signal.addEventListener('abort', stop)
  try {
    for await (const item of items) {
      yield item
      throwIfAborted(signal)
    }
  } catch (error) {
    throwIfAborted(signal)
    throw error
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
