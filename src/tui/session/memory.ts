/** Saves the state for the next session: shortly after each change, and when the program ends. */
import { rememberedOf } from '../state/remembered.ts'
import type { State } from '../state/state.ts'

/** Storage of the saved state. Errors are ignored. */
export type MemoryPort = {
  /** Null if nothing is saved or it cannot be read. */
  read(): unknown
  write(value: unknown): void
}

/** Delay of saving, ms; a killed program loses at most this. */
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

  /** Called after every state change. Saves the state after `SOON_MS`, unless a save is pending. */
  scheduleSave(): void {
    if (this.#timer !== null) return
    this.#timer = setTimeout(() => {
      this.#timer = null
      this.save()
    }, SOON_MS)
    this.#timer.unref()
  }

  /** Saves now, if the state differs from what is saved. */
  save(): void {
    const state = this.#state()
    // Until the tables are read, the cursor is not on a table yet.
    if (state.slots.tables.value === null) return
    const value = rememberedOf(state)
    const text = JSON.stringify(value)
    if (text === this.#kept) return
    this.#kept = text
    this.#port.write(value)
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.save()
  }
}
