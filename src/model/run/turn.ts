import { AsyncLocalStorage } from 'node:async_hooks'
import { SluiceError } from '../../shared/errors.ts'

/** Turns that the running code already has: waiting for one of them would be a deadlock. */
const heldTurns = new AsyncLocalStorage<ReadonlySet<Turn>>()

/** A mutex: callers get it one after the other. */
export class Turn {
  #last: Promise<void> = Promise.resolve()

  /**
   * Resolves when all earlier callers have finished.
   * @returns function that releases the turn
   * @throws SluiceError INTERNAL immediately if the caller already has this turn, which would be a deadlock
   */
  async wait(): Promise<() => void> {
    if (heldTurns.getStore()?.has(this) === true) {
      throw new SluiceError('INTERNAL', 'the program would wait for its own lock', {
        reason: 'a transaction is open, and this request must wait until it has ended',
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

  /** Runs `body` in the turn, after all earlier callers. @throws as `wait` */
  async take<T>(body: () => T | Promise<T>): Promise<T> {
    const go = await this.wait()
    try {
      return await this.within(body)
    } finally {
      go()
    }
  }

  /** Runs `body` in this turn, which the caller got from `wait`: another request for the turn by `body` is refused. */
  within<T>(body: () => T | Promise<T>): T | Promise<T> {
    return heldTurns.run(new Set([...(heldTurns.getStore() ?? []), this]), body)
  }
}

/**
 * Work that is requested repeatedly: all requests during one execution cause one more execution.
 * @param body does not reject
 * @returns a function that requests the work: `body` begins at once, or once more after the current execution
 */
export function oneAtATime(body: () => Promise<void>): () => void {
  let isOn = false
  let isWanted = false
  const work = async (): Promise<void> => {
    isOn = true
    do {
      isWanted = false
      await body()
    } while (isWanted)
    isOn = false
  }
  return () => {
    isWanted = true
    if (!isOn) void work()
  }
}
