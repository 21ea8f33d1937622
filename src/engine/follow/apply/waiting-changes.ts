/** Changes that wait to be written: how many share a transaction of the target, and those that stand apart. */
import type { RowChange } from '../../../model/copy/change.ts'
import { bytesOf, MOST_BYTES } from './change-bytes.ts'

const FEWEST = 10_000
const MOST = 20_000
/** Twice as many rows go next behind a transaction that took longer, ms. */
const SLOW_MS = 500
/** Half as many behind one that took less. */
const QUICK_MS = 50
/** How long a transaction waits for others to share a commit with. */
const LINGER_MS = 20
/**
 * The same where so many rows in so many transactions have come, as fast as so many a ms: each row of a larger batch
 * costs both sides less.
 */
const RUSH_LINGER_MS = 150
const RUSH_ROWS = 400
const RUSH_TRANSACTIONS = 20
const RUSH_ROWS_A_MS = 10

/** With more changes than these the complete transactions are written first, and need not wait for its end. */
const MOST_APART = 2_000

/**
 * How many changed rows share a transaction of the target, and how long they wait for each other: few, so that the last
 * of them need not wait long for the others, and more where each transaction takes long however little is in it, as in
 * a DuckDB file, which reads the keys of a table once for each.
 */
export class BatchRows {
  #most = FEWEST

  /** At so many rows a batch is written. */
  get most(): number {
    return this.#most
  }

  /** Ms from the first of them on. @param rows that have come @param transactions that they came in @param withinMs since the first of them */
  lingerMs(rows: number, transactions: number, withinMs: number): number {
    const isRush = rows >= RUSH_ROWS && transactions >= RUSH_TRANSACTIONS && rows >= withinMs * RUSH_ROWS_A_MS
    return isRush ? RUSH_LINGER_MS : LINGER_MS
  }

  /** A batch was written, in so many ms. */
  took(ms: number): void {
    if (ms > SLOW_MS) this.#most = Math.min(MOST, this.#most * 2)
    else if (ms < QUICK_MS) this.#most = Math.max(FEWEST, this.#most / 2)
  }
}

/** The first changes of a transaction that is open behind complete ones, as long as those wait. */
export class Apart {
  /** Filled again and again: an array for each transaction would cost more than its row. */
  readonly #changes = new Array<RowChange | null>(MOST_APART).fill(null)
  #count = 0
  #bytes = 0

  /** @returns whether it is full */
  add(change: RowChange): boolean {
    this.#changes[this.#count++] = change
    this.#bytes += bytesOf(change)
    return this.#count >= MOST_APART || this.#bytes >= MOST_BYTES
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
