/** Ends a query that a user typed at its deadline, or when its signal aborts. */
import { throwIfAborted } from '../../shared/abort.ts'
import type { QueryOptions } from '../../model/run/sql-port.ts'
import { tookTooLong } from './query-errors.ts'

export class QueryWatch implements Disposable {
  readonly #timeoutMs: number | undefined
  readonly #signal: AbortSignal
  readonly #stop: () => void
  readonly #timer: NodeJS.Timeout | undefined
  #late = false

  /** @param stop ends the query at the database; must not throw, and may be called twice */
  constructor({ timeoutMs, signal }: QueryOptions, stop: () => void) {
    this.#timeoutMs = timeoutMs
    this.#signal = signal
    this.#stop = stop
    if (timeoutMs !== undefined) this.#timer = setTimeout(() => this.#end(), timeoutMs)
    signal.addEventListener('abort', stop)
  }

  /**
   * Call it for each error of the query: the error may only show that the query was stopped.
   * @param outOfTime true if the database reports a timeout: its clock may reach the deadline before this program's
   * @throws SluiceError the signal's reason, DEADLINE
   */
  throwIfOver(label: string, outOfTime = false): void {
    throwIfAborted(this.#signal)
    if (this.#timeoutMs !== undefined && (this.#late || outOfTime)) throw tookTooLong(this.#timeoutMs, label)
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
    this.#signal.removeEventListener('abort', this.#stop)
  }

  #end(): void {
    this.#late = true
    this.#stop()
  }
}
