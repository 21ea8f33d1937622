/** Keys of the rows that a chunk wrote or found there, where other rows of the target may lie between them. */
import { keyTextOf } from '../../../model/copy/key-text.ts'
import type { TablePlan } from '../../../model/copy/plan.ts'
import { RowSum } from '../../../model/copy/row-hash.ts'
import type { Digest, Row } from '../../../model/copy/rows.ts'
import { targetKeyPositions } from '../table/context.ts'

export class WrittenKeys {
  readonly #places: readonly number[]
  readonly #texts = new Set<string>()
  readonly #sum: RowSum | null

  private constructor(places: readonly number[], isCounted: boolean) {
    this.#places = places
    this.#sum = isCounted ? new RowSum() : null
  }

  /** Null if the whole range is proved, or rows have no key by which the target could be asked. */
  static of(plan: TablePlan): WrittenKeys | null {
    const { onExisting, proof, sortsAlike, source } = plan
    const among = onExisting === 'upsert' || onExisting === 'append'
    // A token range is no range of a target without a ring; there rows can only be counted by their keys.
    const isCounted = proof === 'count' && (among || (source.ring !== undefined && !sortsAlike))
    const isSummed = proof === 'canonical' && (among || !sortsAlike)
    const places = targetKeyPositions(plan)
    return (isCounted || isSummed) && places.length > 0 ? new WrittenKeys(places, isCounted) : null
  }

  note(row: Row): void {
    this.#texts.add(keyTextOf(row, this.#places))
    this.#sum?.add(this.#places.map((at) => row[at] ?? null))
  }

  get texts(): ReadonlySet<string> {
    return this.#texts
  }

  /**
   * Number of noted rows and checksum of their keys, for a proof by count. The target is asked for the same: a number
   * alone would count one of its rows for each key that finds it. Null for other proofs.
   */
  digest(): Digest | null {
    return this.#sum?.digest() ?? null
  }
}
