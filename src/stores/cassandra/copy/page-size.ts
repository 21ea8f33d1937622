/** Rows of the next page: about `PAGE_BYTES`, so that wide rows fit in memory and narrow ones need few requests. */

/** Desired bytes of a page: a worker holds three, including one that is fetched and one that is written. */
const PAGE_BYTES = 1024 * 1024
/** Rows of the first page, if nothing is known about the rows. */
const FIRST_ROWS = 200
/**
 * Maximum rows of a page. Larger pages survive until garbage collection moves them to the old generation, which costs
 * more than the saved requests.
 */
const MOST_ROWS = 1000
const GROWTH = 4

export class PageSize {
  readonly #most: number
  #rows: number
  /** Mean bytes per row, weighted to the latest pages. */
  #rowBytes: number | null

  /** @param rowBytes estimate for the table's rows; null if unknown */
  constructor(rowBytes: number | null, most: number = MOST_ROWS) {
    this.#most = Math.max(1, most)
    this.#rowBytes = rowBytes
    this.#rows = this.#fitting(rowBytes === null ? FIRST_ROWS : this.#most)
  }

  get rows(): number {
    return this.#rows
  }

  /** Call after each page. */
  note(rows: number, bytes: number): void {
    if (rows === 0) return
    const mean = bytes / rows
    // Use the larger estimate: if rows grow, pages shrink at once.
    this.#rowBytes = this.#rowBytes === null ? mean : Math.max(mean, (this.#rowBytes + mean) / 2)
    this.#rows = this.#fitting(this.#rows * GROWTH)
  }

  /** Call after a page failed. @returns false if it had only one row */
  shrink(): boolean {
    if (this.#rows === 1) return false
    this.#rows = Math.max(1, this.#rows >> 3)
    return true
  }

  #fitting(rows: number): number {
    const byBytes = this.#rowBytes === null ? rows : Math.floor(PAGE_BYTES / Math.max(1, this.#rowBytes))
    return Math.max(1, Math.min(rows, byBytes, this.#most))
  }
}
