/** Ends a worker whose queue keeps refusing its login. An unreachable queue does not end it. */
import type { Clock } from '../../shared/clock.ts'
import type { SluiceError } from '../../shared/errors.ts'

/** How long a login must be refused before the worker ends, ms. A password change may take this long. */
const REFUSED_MS = 120_000

export class RefusedLogin {
  readonly #clock: Pick<Clock, 'ticks'>
  readonly #last: () => void
  /** Start of uninterrupted refusals. */
  #since: number | null = null
  #error: SluiceError | null = null

  /** @param last called once, after two minutes of refusals */
  constructor(clock: Pick<Clock, 'ticks'>, last: () => void) {
    this.#clock = clock
    this.#last = last
  }

  /** The refusal that ends the worker; null if none does. */
  get error(): SluiceError | null {
    return this.#error
  }

  /** Records a failed call to the queue. Any failure other than a refused login restarts the two minutes. */
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

  /** Records a reply of the queue. */
  answered(): void {
    this.#since = null
  }
}
