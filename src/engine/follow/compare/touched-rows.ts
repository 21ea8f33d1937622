/** Keys of rows that a stream has changed since a comparison of all rows. */
import type { RowKey } from '../../../model/copy/row-key.ts'

/** Maximum number of keys that are kept: about 200 bytes each. */
const MOST = 1_000_000

export class TouchedRows {
  readonly #most: number
  #since = false
  #isMore = false
  readonly #tables = new Map<number, Map<string, RowKey>>()

  /** @param most maximum number of keys that are kept; with more, `keys` returns null */
  constructor(most = MOST) {
    this.#most = most
  }

  /** Begins to record keys: the comparison that begins now includes all earlier changes. */
  begin(): void {
    this.#since = true
    this.#isMore = false
    this.#tables.clear()
  }

  /** @param key of a row before or after a change @param table its number in the stream */
  note(table: number, key: RowKey): void {
    if (!this.#since || this.#isMore) return
    let rows = this.#tables.get(table)
    if (rows === undefined) this.#tables.set(table, (rows = new Map()))
    rows.set(JSON.stringify(key), key)
    if (this.size > this.#most) this.noteAll()
  }

  /** Records that any row may have changed: the keys are unknown, or too many. */
  noteAll(): void {
    this.#isMore = true
    this.#tables.clear()
  }

  get size(): number {
    let size = 0
    for (const rows of this.#tables.values()) size += rows.size
    return size
  }

  /** @returns null if there are more keys than are kept, or recording has not begun: then compare all rows again */
  keys(table: number): readonly RowKey[] | null {
    if (!this.#since || this.#isMore) return null
    return [...(this.#tables.get(table)?.values() ?? [])]
  }
}
