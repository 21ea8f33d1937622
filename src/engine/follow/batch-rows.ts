/**
 * How many changed rows share a transaction of the target: few, so that the last of them need not wait long for the others, and more where each transaction takes long
 * however little is in it, as in a DuckDB file, which reads the keys of a table once for each.
 */

const FEWEST = 10_000
const MOST = 20_000
/** Twice as many rows go next behind a transaction that took longer, ms. */
const SLOW_MS = 500
/** Half as many behind one that took less. */
const QUICK_MS = 50

export class BatchRows {
  #most = FEWEST

  /** At so many rows a batch is written. */
  get most(): number {
    return this.#most
  }

  /** A batch was written, in so many ms. */
  took(ms: number): void {
    if (ms > SLOW_MS) this.#most = Math.min(MOST, this.#most * 2)
    else if (ms < QUICK_MS) this.#most = Math.max(FEWEST, this.#most / 2)
  }
}
