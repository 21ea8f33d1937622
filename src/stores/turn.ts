/** Lets those who want the same thing have it one after the other. */
export class Turn {
  #last: Promise<void> = Promise.resolve()

  /** Resolves when everybody who came before has gone. @returns what to call when going */
  async wait(): Promise<() => void> {
    const before = this.#last
    let go: () => void = () => undefined
    this.#last = new Promise((resolve) => {
      go = resolve
    })
    await before
    return go
  }

  async take<T>(body: () => T | Promise<T>): Promise<T> {
    const go = await this.wait()
    try {
      return await body()
    } finally {
      go()
    }
  }
}
