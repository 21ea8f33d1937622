/** The first changes of a transaction that is open behind complete ones, as long as those wait. */
import type { RowChange } from '../../../model/copy/change.ts'
import { bytesOf, MOST_BYTES } from './change-bytes.ts'

/** With more changes than these the complete transactions are written first, and need not wait for its end. */
const MOST = 2_000

export class Apart {
  /** Filled again and again: an array for each transaction would cost more than its row. */
  readonly #changes = new Array<RowChange | null>(MOST).fill(null)
  #count = 0
  #bytes = 0

  /** @returns whether it is full */
  add(change: RowChange): boolean {
    this.#changes[this.#count++] = change
    this.#bytes += bytesOf(change)
    return this.#count >= MOST || this.#bytes >= MOST_BYTES
  }

  /** Gives them away, in their order. */
  drain(take: (change: RowChange) => void): void {
    for (let at = 0; at < this.#count; at++) {
      take(this.#changes[at] as RowChange)
      this.#changes[at] = null
    }
    this.#count = 0
    this.#bytes = 0
  }
}
