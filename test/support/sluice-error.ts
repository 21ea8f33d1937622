import { SluiceError } from '../../src/shared/errors.ts'

/** The `SluiceError` that a call throws; fails if it throws none. */
export function sluiceErrorOf(run: () => unknown): SluiceError {
  try {
    run()
  } catch (error) {
    if (error instanceof SluiceError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}
