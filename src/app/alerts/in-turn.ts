/** Runs work sequentially, so that the end of an alert is never sent before its start. */

export class AlertQueue {
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
   * Waits for all appended work. After the limit no work begins, and only the running work is awaited.
   * @param ms the limit
   * @returns number of items not begun
   */
  async done(ms: number): Promise<number> {
    const limit = setTimeout(() => void (this.#isOver = true), ms)
    await this.#last
    clearTimeout(limit)
    return this.#waiting
  }
}
