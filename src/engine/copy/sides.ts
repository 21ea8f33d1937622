/** Assigns errors to source or target: an error of a store does not show on which side the store is. */
import { SluiceError, type ErrorKind } from '../../shared/errors.ts'

/** Runs `body` on one side; errors of a store become errors of that side. */
export async function onSide<T>(side: 'source' | 'target', body: () => Promise<T>): Promise<T> {
  try {
    return await body()
  } catch (error) {
    throw error instanceof SluiceError && (error.kind === 'source' || error.kind === 'target') && error.kind !== side
      ? ofKind(error, side)
      : error
  }
}

function ofKind(error: SluiceError, kind: ErrorKind): SluiceError {
  const { code, message, where, reason, hint, retryable } = error
  return new SluiceError(code, message, { kind, retryable, cause: error, where, reason, hint })
}
