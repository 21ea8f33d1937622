/** Collects output as lines for the caller. */
import type { Output } from './output.ts'

/** An output that returns what was written as lines. */
export class LineOutput implements Output {
  readonly congested = false
  readonly gone = false
  #lines: string[] = []
  #open = ''

  data(text: string): void {
    const [first = '', ...more] = (this.#open + text).split('\n')
    const all = [first, ...more]
    this.#open = all.pop() ?? ''
    this.#lines.push(...all)
  }

  talk(text: string): void {
    this.data(text)
  }

  /** Complete lines since the last call. */
  taken(): readonly string[] {
    const taken = this.#lines
    this.#lines = []
    return taken
  }

  flushed(): Promise<void> {
    return Promise.resolve()
  }

  failure(): null {
    return null
  }
}
