/**
 * The time that a slot has before it is given back: only that in which chunks are worked on. Before the first of them it reads what the ledger has of its
 * tables, and with none left it counts what earlier runs have proved. Both take as long as they take: to stop it there would have the next turn begin that
 * anew, and end like this one.
 */
import type { Event } from '../../model/run/event.ts'

/** How often the time is looked at, ms. */
const LOOK_MS = 1000
/** A ledger of millions of chunks takes minutes to read: a turn is so many times longer than its beginning, so that most of it is work. */
const TIMES_ITS_BEGINNING = 20

export class Turn implements Disposable {
  readonly #ms: number
  readonly #over: () => void
  readonly #timer: ReturnType<typeof setInterval>
  #begun = false
  #beginning = 0
  #spent = 0
  #isCounting = false

  /** @param ms of work @param over called once, when they are spent */
  constructor(ms: number, over: () => void) {
    this.#ms = ms
    this.#over = over
    this.#timer = setInterval(() => this.#look(), LOOK_MS)
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

  #look(): void {
    if (this.#isCounting) return
    if (!this.#begun) {
      this.#beginning += LOOK_MS
      return
    }
    this.#spent += LOOK_MS
    if (this.#spent < Math.max(this.#ms, this.#beginning * TIMES_ITS_BEGINNING)) return
    clearInterval(this.#timer)
    this.#over()
  }
}
