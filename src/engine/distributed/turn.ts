/**
 * The time that a slot has before it is given back: only that in which chunks are worked on. A run that has none left counts what earlier runs have proved, which
 * takes as long as it takes: to stop it there would have the next turn begin that anew, and end like this one.
 */
import type { Event } from '../../model/event.ts'

/** How often the time is looked at, ms. */
const LOOK_MS = 1000

export class Turn implements Disposable {
  readonly #ms: number
  readonly #over: () => void
  readonly #timer: ReturnType<typeof setInterval>
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
    if (type === 'look.progress') this.#isCounting = true
    else if (type === 'chunk.started') this.#isCounting = false
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }

  #look(): void {
    if (this.#isCounting) return
    this.#spent += LOOK_MS
    if (this.#spent < this.#ms) return
    clearInterval(this.#timer)
    this.#over()
  }
}
