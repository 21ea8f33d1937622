/** Rows of the next page: as many as come to about so many bytes, so that wide rows stay within memory and narrow ones come in few requests. */

/** What a page should hold: with those that are fetched and written meanwhile a lane has three. */
const PAGE_BYTES = 1024 * 1024
/** Before anything is known of its rows. */
const FIRST_ROWS = 200
/** Larger ones live long enough to be moved to the old generation, which costs more than the requests that they spare. */
const MOST_ROWS = 1000
const GROWTH = 4

export class PageSize {
  readonly #most: number
  #rows: number
  /** Mean of the pages that were seen, the last ones above all. */
  #rowBytes: number | null

  /** @param rowBytes of the table's rows as far as anybody knows; null where nobody does */
  constructor(rowBytes: number | null, most: number = MOST_ROWS) {
    this.#most = Math.max(1, most)
    this.#rowBytes = rowBytes
    this.#rows = this.#fitting(rowBytes === null ? FIRST_ROWS : this.#most)
  }

  get rows(): number {
    return this.#rows
  }

  /** A page came. */
  note(rows: number, bytes: number): void {
    if (rows === 0) return
    const mean = bytes / rows
    // The larger of both, so that rows which grow are met with smaller pages at once.
    this.#rowBytes = this.#rowBytes === null ? mean : Math.max(mean, (this.#rowBytes + mean) / 2)
    this.#rows = this.#fitting(this.#rows * GROWTH)
  }

  /** A page did not come. @returns false where it held one row already */
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
