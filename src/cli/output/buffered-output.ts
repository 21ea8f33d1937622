/** An output that is written later, in order. Long output is bounded by dropping its middle. */
import type { Output } from './output.ts'

type Piece = { readonly side: 'data' | 'talk'; readonly text: string }

/** Number of characters that are kept of the beginning, and of the end. */
const KEPT_CHARACTERS = 2_000_000

export class BufferedOutput implements Output {
  readonly #first: Piece[] = []
  readonly #last: Piece[] = []
  #firstLength = 0
  #lastLength = 0
  #leftOut = 0
  readonly congested = false
  readonly gone = false

  data(text: string): void {
    this.#store({ side: 'data', text })
  }

  talk(text: string): void {
    this.#store({ side: 'talk', text })
  }

  flushed(): Promise<void> {
    return Promise.resolve()
  }

  failure(): null {
    return null
  }

  /** Writes the stored output to `output`. */
  writeTo(output: Output): void {
    for (const piece of this.#first) output[piece.side](piece.text)
    if (this.#leftOut > 0)
      output.talk(`     ... ${this.#leftOut} pieces of output are left out here; --log-file keeps all of it\n`)
    for (const piece of this.#last) output[piece.side](piece.text)
  }

  #store(piece: Piece): void {
    if (this.#lastLength === 0 && this.#firstLength < KEPT_CHARACTERS) {
      this.#first.push(piece)
      this.#firstLength += piece.text.length
      return
    }
    this.#last.push(piece)
    this.#lastLength += piece.text.length
    if (this.#lastLength <= 2 * KEPT_CHARACTERS) return
    // Drop many pieces at once, because each single removal would move all later pieces.
    let from = 0
    while (this.#lastLength > KEPT_CHARACTERS) {
      this.#lastLength -= this.#last[from]?.text.length ?? 0
      from += 1
    }
    this.#last.splice(0, from)
    this.#leftOut += from
  }
}
