/** Work one after the other: no end of an alert is sent before its beginning. */

export class InTurn {
  #last: Promise<void> = Promise.resolve()
  #waiting = 0
  #isOver = false

  /** @param work must not reject */
  append(work: () => Promise<void>): void {
    this.#waiting++
    this.#last = this.#last.then(async () => {
      if (this.#isOver) return
      this.#waiting--
      await work()
    })
  }

  /**
   * Waits until all is done that was appended. What runs is waited for; nothing more begins after the limit, however much waits.
   * @param ms the limit
   * @returns how much was not begun
   */
  async done(ms: number): Promise<number> {
    const limit = setTimeout(() => void (this.#isOver = true), ms)
    await this.#last
    clearTimeout(limit)
    return this.#waiting
  }
}
