/** A chunk that a copy has closed, or its table where that is only counted as a whole: what a comparison finds of it, and what is expected of it then. */
import type { Expected } from '../ledger/surplus-changes.ts'
import type { Difference } from './difference.ts'

export class CopiedPart {
  /** Null for the table as a whole. */
  readonly chunk: Expected
  /** Rows that the target was expected to have beyond those of the source; null where nobody has noted that. */
  readonly surplus: bigint | null
  /** All of its rows were compared. */
  isWhole = false
  /** Rows of it differ, and nobody can tell how many. */
  isUnclear = false
  /** Differences of it that are not settled yet. */
  open = 0
  #missing = 0n
  #extra = 0n
  #brought = 0n
  #removed = 0n

  constructor(chunk: Expected, surplus: bigint | null) {
    this.chunk = chunk
    this.surplus = surplus
  }

  count(kind: Difference['kind'], isFixed: boolean): void {
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
   * Rows that the target has to have beyond those of the source from now on. Where the counts were as expected, they are so after the repair; where
   * not, only what is equal now is made expected: a difference that a repair leaves stays one.
   * @returns null where that stays as it is
   */
  expected(): bigint | null {
    if (!this.isWhole || this.isUnclear) return null
    const left = this.#extra - this.#removed
    const gone = this.#missing - this.#brought
    const isKnown = left + gone === 0n || (this.surplus !== null && this.#extra - this.#missing === this.surplus)
    return isKnown && left - gone !== this.surplus ? left - gone : null
  }
}
