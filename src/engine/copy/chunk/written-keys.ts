/** Keys of rows that a chunk wrote or found in the target, for proofs of a range that may contain other rows too. */
import { keyTextOf } from '../../../model/copy/key-text.ts'
import type { TablePlan } from '../../../model/copy/plan.ts'
import { rowHash, RowChecksum } from '../../../model/copy/row-hash.ts'
import type { Range } from '../../../model/copy/range.ts'
import type { Digest, Row } from '../../../model/copy/rows.ts'
import type { WriteColumn } from '../../../model/copy/write-column.ts'
import { targetKeyPositions, writeColumns } from '../table/context.ts'

export class WrittenKeys {
  readonly #plan: TablePlan
  readonly #places: readonly number[]
  readonly #texts = new Set<string>()
  /** Hash of the first row of each key, if the source has no key; else null. */
  readonly #hashes: Map<string, string> | null
  readonly #keySum = new RowChecksum()

  private constructor(plan: TablePlan, places: readonly number[]) {
    this.#plan = plan
    this.#places = places
    this.#hashes = plan.cut === 'key' ? null : new Map()
  }

  /** Null if the whole range is proved, or if the target's key cannot be used to query the rows. */
  static of(plan: TablePlan, range: Range): WrittenKeys | null {
    const { onExisting, proof, sortsAlike, source } = plan
    const isAmong = onExisting === 'upsert' || onExisting === 'append'
    // A target without a ring cannot select a token range, so its rows can only be counted by their keys.
    const isNamed = proof === 'count' && range.by !== 'nullKey'
    const isCounted = isNamed && (isAmong || (source.ring !== undefined && !sortsAlike))
    const isSummed = proof === 'canonical' && (isAmong || !sortsAlike)
    const places = targetKeyPositions(plan)
    return (isCounted || isSummed) && places.length > 0 ? new WrittenKeys(plan, places) : null
  }

  /** @param row cells that are written */
  note(row: Row): void {
    const text = keyTextOf(row, this.#places)
    // Any number of rows may have NULL in their key: the target never skips them as duplicates.
    if (this.#hashes !== null && this.#places.some((at) => (row[at] ?? null) === null)) return
    this.#texts.add(text)
    if (this.#hashes !== null) {
      const hash = rowHash(row)
      const first = this.#hashes.get(text)
      // A source without a key may have the same row several times; the target has the row once.
      if (first === hash) return
      if (first === undefined) this.#hashes.set(text, hash)
    }
    if (this.#isCounted) this.#keySum.add(this.#places.map((at) => row[at] ?? null))
    else if (this.#hashes !== null) this.#keySum.add(row)
  }

  get texts(): ReadonlySet<string> {
    return this.#texts
  }

  /** Columns of the digest `expected`; null if the digest of the rows read is compared instead. */
  get columns(): readonly WriteColumn[] | null {
    const { columns } = this.#plan
    if (this.#isCounted) return writeColumns({ columns: this.#places.flatMap((at) => columns[at] ?? []) })
    return this.#hashes === null ? null : writeColumns({ columns })
  }

  /**
   * Digest that the target rows with these keys must have. A proof by count includes a checksum of the keys: a row
   * count alone would count a target row once for each key that finds it.
   */
  get expected(): Digest {
    return this.#keySum.digest()
  }

  get #isCounted(): boolean {
    return this.#plan.proof === 'count'
  }
}
