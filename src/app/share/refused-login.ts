/** What ends a worker by itself: its queue answers that it refuses the login, and goes on to. A queue that is away ends none. */
import type { Clock } from '../../shared/clock.ts'
import type { SluiceError } from '../../shared/errors.ts'

/** A login that is refused for so long stays refused: until then a password may be changed here, too. */
const REFUSED_MS = 120_000

export class RefusedLogin {
  readonly #clock: Pick<Clock, 'ticks'>
  readonly #last: () => void
  /** Since when the queue has answered nothing else. */
  #since: number | null = null
  #error: SluiceError | null = null

  /** @param last called once, when the login has been refused for two minutes */
  constructor(clock: Pick<Clock, 'ticks'>, last: () => void) {
    this.#clock = clock
    this.#last = last
  }

  /** The refusal that ends the worker; null while none does. */
  get error(): SluiceError | null {
    return this.#error
  }

  /** A question to the queue has failed: any other failure than a refused login begins the two minutes anew. */
  failed(error: SluiceError): void {
    if (error.code !== 'CONNECT_FAILED' || error.retryable) {
      this.#since = null
      return
    }
    const now = this.#clock.ticks()
    this.#since ??= now
    if (this.#error !== null || now - this.#since < REFUSED_MS) return
    this.#error = error
    this.#last()
  }

  /** The queue has answered. */
  answered(): void {
    this.#since = null
  }
}
