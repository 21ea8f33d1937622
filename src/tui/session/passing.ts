/**
 * Detects a cursor that moves on without resting: details of passed rows are not read. The first step after a rest
 * counts as rest.
 */

export class Passing {
  readonly #restMs: number
  readonly #rested: () => void
  #timer: NodeJS.Timeout | null = null
  #key: string | null = null
  #isPassing = false

  /**
   * @param restMs time after which the cursor counts as resting, ms; 0: it rests on every row @param rested called when
   * the cursor rests after passing rows
   */
  constructor(restMs: number, rested: () => void) {
    this.#restMs = restMs
    this.#rested = rested
  }

  /** @param key of the row under the cursor @returns whether the cursor is only passing */
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
