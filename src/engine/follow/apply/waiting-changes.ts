/** Size of a batch, and changes of an open transaction that wait until complete transactions are written. */
import type { RowChange } from '../../../model/copy/change.ts'
import { changeBytes, MOST_BYTES } from '../../../model/copy/change-bytes.ts'

const MIN_ROWS = 10_000
const MAX_ROWS = 20_000
/** After a transaction slower than this (ms), the next batch has twice as many rows. */
const SLOW_MS = 500
/** After a transaction faster than this (ms), the next batch has half as many rows. */
const QUICK_MS = 50
/** How long a transaction waits for other transactions to share its commit, ms. */
const LINGER_MS = 20
/** `LINGER_MS` in a burst of small transactions (all three limits reached): larger batches cost less per row. */
const RUSH_LINGER_MS = 150
const RUSH_ROWS = 400
const RUSH_TRANSACTIONS = 20
const RUSH_ROWS_A_MS = 10

/**
 * Maximum number of changes of an open transaction that wait separately; at this limit, complete transactions are
 * written.
 */
const MAX_SEPARATE = 2_000

/**
 * How many changed rows share a transaction of the target, and how long they wait for each other. Small batches keep
 * the wait short. Larger ones help where each transaction is slow regardless of its size, as in a DuckDB file, which
 * reads all keys of a table for each transaction.
 */
export class BatchRows {
  #most = MIN_ROWS

  /** Rows at which a batch is written. */
  get most(): number {
    return this.#most
  }

  /**
   * Ms to wait after the first row of a batch.
   * @param rows received so far
   * @param transactions received so far
   * @param withinMs time since the first row
   */
  lingerMs(rows: number, transactions: number, withinMs: number): number {
    const isRush = rows >= RUSH_ROWS && transactions >= RUSH_TRANSACTIONS && rows >= withinMs * RUSH_ROWS_A_MS
    return isRush ? RUSH_LINGER_MS : LINGER_MS
  }

  /** Adapts `most` to the duration of a batch. */
  adapt(ms: number): void {
    if (ms > SLOW_MS) this.#most = Math.min(MAX_ROWS, this.#most * 2)
    else if (ms < QUICK_MS) this.#most = Math.max(MIN_ROWS, this.#most / 2)
  }
}

/** The first changes of an open transaction, kept while complete transactions before it wait. */
export class WaitingChanges {
  /** Reused: allocating an array for each transaction would cost more than a transaction of one row. */
  readonly #changes = new Array<RowChange | null>(MAX_SEPARATE).fill(null)
  #count = 0
  #bytes = 0

  /** @returns true if it is full */
  add(change: RowChange): boolean {
    this.#changes[this.#count++] = change
    this.#bytes += changeBytes(change)
    return this.#count >= MAX_SEPARATE || this.#bytes >= MOST_BYTES
  }

  /** Passes the changes on in order, and empties itself. */
  drain(take: (change: RowChange) => void): void {
    for (let at = 0; at < this.#count; at++) {
      take(this.#changes[at] as RowChange)
      this.#changes[at] = null
    }
    this.#count = 0
    this.#bytes = 0
  }
}
