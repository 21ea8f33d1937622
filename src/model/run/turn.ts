import { AsyncLocalStorage } from 'node:async_hooks'
import { SluiceError } from '../../shared/errors.ts'

/** Turns that the running code has: it would wait for itself if it waited for one of them. */
const had = new AsyncLocalStorage<ReadonlySet<Turn>>()

/** Lets those who want the same thing have it one after the other. */
export class Turn {
  #last: Promise<void> = Promise.resolve()

  /**
   * Resolves when everybody who came before has gone.
   * @returns what to call when going
   * @throws SluiceError INTERNAL at once where the caller runs within the turn it asks for, which would never come
   */
  async wait(): Promise<() => void> {
    if (had.getStore()?.has(this) === true) {
      throw new SluiceError('INTERNAL', 'the program would wait for what it holds itself', {
        reason: 'a transaction is open, and what was asked for has to wait until that has ended',
      })
    }
    const before = this.#last
    let go: () => void = () => undefined
    this.#last = new Promise((resolve) => {
      go = resolve
    })
    await before
    return go
  }

  /** @throws as `wait` */
  async take<T>(body: () => T | Promise<T>): Promise<T> {
    const go = await this.wait()
    try {
      return await this.within(body)
    } finally {
      go()
    }
  }

  /** Runs what belongs to this turn, which the caller has by `wait`: whatever asks for it again in there is refused. */
  within<T>(body: () => T | Promise<T>): T | Promise<T> {
    return had.run(new Set([...(had.getStore() ?? []), this]), body)
  }
}
