/** Keeps what the next session on the same place begins with: a little after each change, and when the program is left. */
import { rememberedOf } from '../state/remembered.ts'
import type { State } from '../state/state.ts'

/** Where it is kept; whatever goes wrong there is nobody's trouble. */
export type MemoryPort = {
  /** Null where nothing is kept, or nothing that can be read. */
  read(): unknown
  write(value: unknown): void
}

/** A program that is killed loses no more than this, ms. */
const SOON_MS = 1500

export class Memory {
  readonly #port: MemoryPort
  readonly #state: () => State
  #kept: string
  #timer: NodeJS.Timeout | null = null

  constructor(port: MemoryPort, state: () => State) {
    this.#port = port
    this.#state = state
    this.#kept = JSON.stringify(rememberedOf(state()))
  }

  /** After a change of the state. */
  look(): void {
    if (this.#timer !== null) return
    this.#timer = setTimeout(() => {
      this.#timer = null
      this.keep()
    }, SOON_MS)
    this.#timer.unref()
  }

  /** Now, where it is other than what is kept. */
  keep(): void {
    const state = this.#state()
    // Before the tables are there nobody knows on which of them one is.
    if (state.slots.tables.value === null) return
    const value = rememberedOf(state)
    const text = JSON.stringify(value)
    if (text === this.#kept) return
    this.#kept = text
    this.#port.write(value)
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.keep()
  }
}
