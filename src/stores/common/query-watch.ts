/** Ends a query that a user typed at its deadline, or when its signal aborts. */
import { setTimeout as sleep } from 'node:timers/promises'
import { throwIfAborted } from '../../shared/abort.ts'
import type { QueryOptions } from '../../model/run/sql-port.ts'
import { tookTooLong } from './query-errors.ts'

/** Pause between two calls of `stop`, ms: a call between two statements of the query has no effect. */
const REPEAT_MS = 250

export class QueryWatch implements Disposable {
  readonly #timeoutMs: number | undefined
  readonly #signal: AbortSignal
  readonly #stop: () => Promise<void> | void
  readonly #timer: NodeJS.Timeout | undefined
  readonly #onAbort = (): void => void this.#end()
  #late = false
  #isEnding = false
  #disposed = false

  /** @param stop ends the running statement at the database; must not throw, and is called until the disposal */
  constructor({ timeoutMs, signal }: QueryOptions, stop: () => Promise<void> | void) {
    this.#timeoutMs = timeoutMs
    this.#signal = signal
    this.#stop = stop
    if (timeoutMs !== undefined) {
      this.#timer = setTimeout(() => {
        this.#late = true
        void this.#end()
      }, timeoutMs)
    }
    signal.addEventListener('abort', this.#onAbort)
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
    this.#disposed = true
    clearTimeout(this.#timer)
    this.#signal.removeEventListener('abort', this.#onAbort)
  }

  async #end(): Promise<void> {
    if (this.#isEnding) return
    this.#isEnding = true
    while (!this.#disposed) {
      await this.#stop()
      await sleep(REPEAT_MS, undefined, { ref: false })
    }
  }
}
