/** Applies the steering requests of the user who runs a copy. */
import { asSluiceError } from '../../../shared/errors.ts'
import type { CopyRun } from '../copy-run.ts'
import type { Steering } from './steering.ts'

/** A request that cannot be applied is reported, and changes nothing. */
export function applyRequests({ control, emit }: Pick<CopyRun, 'control' | 'emit'>, steering: Steering): void {
  control?.onRequest?.((request) => {
    if (steering.isForOthers(request)) return
    try {
      steering.honour(request)
    } catch (thrown) {
      const { message, hint } = asSluiceError(thrown)
      emit({ type: 'log', level: 'warn', message, ...(hint === undefined ? {} : { hint }) })
    }
  })
}
