/** Whoever runs a copy steers it by wishes. */
import { asSluiceError } from '../../../shared/errors.ts'
import type { CopyRun } from '../copy-run.ts'
import type { Steering } from './steering.ts'

/** What cannot be heeded is told, and changes nothing. */
export function heedWishes({ control, emit }: Pick<CopyRun, 'control' | 'emit'>, steering: Steering): void {
  control?.onWish?.((wish) => {
    if (steering.isForOthers(wish)) return
    try {
      steering.heed(wish)
    } catch (thrown) {
      const { message, hint } = asSluiceError(thrown)
      emit({ type: 'log', level: 'warn', message, ...(hint === undefined ? {} : { hint }) })
    }
  })
}
