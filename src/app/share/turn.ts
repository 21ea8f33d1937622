/**
 * Limits the working time of a task before it is given back. Only the processing of chunks is timed. Reading the ledger
 * before the first chunk, and counting chunks of earlier runs at the end, are not timed: if the time ended there, the
 * next turn would repeat this work, and would also end there.
 */
import type { Event } from '../../model/run/event.ts'

/** Interval of checks, ms. */
const POLL_MS = 1000
/**
 * Reading a ledger of millions of chunks takes minutes. A turn works at least this many times as long as it has read,
 * so that most of the turn is work.
 */
const TIMES_ITS_BEGINNING = 20

export class TaskTurn implements Disposable {
  readonly #ms: number
  readonly #over: () => void
  readonly #timer: ReturnType<typeof setInterval>
  #begun = false
  #beginning = 0
  #spent = 0
  #isCounting = false

  /** @param ms limit of the working time @param over called once, when the limit is reached */
  constructor(ms: number, over: () => void) {
    this.#ms = ms
    this.#over = over
    this.#timer = setInterval(() => this.#checkTime(), POLL_MS)
    this.#timer.unref()
  }

  take({ type }: Event): void {
    if (type === 'copy.started') this.#begun = true
    else if (type === 'look.progress') this.#isCounting = true
    else if (type === 'chunk.started') this.#isCounting = false
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }

  #checkTime(): void {
    if (this.#isCounting) return
    if (!this.#begun) {
      this.#beginning += POLL_MS
      return
    }
    this.#spent += POLL_MS
    if (this.#spent < Math.max(this.#ms, this.#beginning * TIMES_ITS_BEGINNING)) return
    clearInterval(this.#timer)
    this.#over()
  }
}
