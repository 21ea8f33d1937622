/** A cursor that goes on from row to row: what the rows between hold is asked of nobody. The first step from where it rested counts at once. */

export class Passing {
  readonly #restMs: number
  readonly #rested: () => void
  #timer: NodeJS.Timeout | null = null
  #key: string | null = null
  #isPassing = false

  /** @param restMs of a row on which the cursor rests; with 0 it rests on all @param rested called when the cursor has come to rest after rows that it only passed */
  constructor(restMs: number, rested: () => void) {
    this.#restMs = restMs
    this.#rested = rested
  }

  /** @param key of the row under the cursor @returns whether the cursor only passes by */
  by(key: string | null): boolean {
    if (key === this.#key || this.#restMs === 0) return this.#isPassing
    this.#key = key
    this.#isPassing = this.#timer !== null
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#timer = null
      if (!this.#isPassing) return
      this.#isPassing = false
      this.#rested()
    }, this.#restMs)
    return this.#isPassing
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
  }
}
