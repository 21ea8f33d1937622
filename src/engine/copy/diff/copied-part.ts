/**
 * Collects the results of the comparison of one completed chunk, and computes the surplus that later runs must expect.
 * If a table can only be counted as a whole, the whole table takes the place of the chunk.
 */
import type { StoredChunkKey } from '../ledger/surplus-changes.ts'
import type { RowDifference } from './difference.ts'

export class ComparedPart {
  /** The chunk; null for the table as a whole. */
  readonly chunk: StoredChunkKey
  /** Expected surplus of the target; null if it was never recorded. */
  readonly surplus: bigint | null
  /** True if all rows of the part were compared. */
  isWhole = false
  /** True if rows differ, but their number is unknown. */
  isUnclear = false
  /** Number of differences whose result is not final yet. */
  open = 0
  #missing = 0n
  #extra = 0n
  #brought = 0n
  #removed = 0n

  constructor(chunk: StoredChunkKey, surplus: bigint | null) {
    this.chunk = chunk
    this.surplus = surplus
  }

  count(kind: RowDifference['kind'], isFixed: boolean): void {
    const fixed = isFixed ? 1n : 0n
    if (kind === 'missing') {
      this.#missing += 1n
      this.#brought += fixed
    } else if (kind === 'extra') {
      this.#extra += 1n
      this.#removed += fixed
    }
  }

  /**
   * Surplus to expect from now on: rows that only the target has, minus rows that it lacks. Recorded if both sides are
   * equal now, or if they differed by exactly the recorded surplus before the repair. Otherwise the recorded value
   * stays, so that later runs still report a difference that the repair left.
   * @returns null if the recorded value stays
   */
  expected(): bigint | null {
    if (!this.isWhole || this.isUnclear) return null
    const left = this.#extra - this.#removed
    const gone = this.#missing - this.#brought
    const isKnown = left + gone === 0n || (this.surplus !== null && this.#extra - this.#missing === this.surplus)
    return isKnown && left - gone !== this.surplus ? left - gone : null
  }
}
