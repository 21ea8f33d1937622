/** How long others may have waited for the tries of a switch. */
export class Waits {
  #longestMs = 0
  #totalMs = 0

  /** At a time. */
  get longestMs(): number {
    return this.#longestMs
  }

  /** In all tries. */
  get totalMs(): number {
    return this.#totalMs
  }

  /** A try has kept them so long. */
  add(ms: number): void {
    const waited = Math.round(ms)
    this.#longestMs = Math.max(this.#longestMs, waited)
    this.#totalMs += waited
  }
}
