/** Rows that a chunk wrote or found in the target, by their keys: others of the target may lie between them. */
import { keyTextOf } from '../../../model/copy/key-text.ts'
import type { TablePlan } from '../../../model/copy/plan.ts'
import { rowHash, RowSum } from '../../../model/copy/row-hash.ts'
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
  readonly #sum = new RowSum()

  private constructor(plan: TablePlan, places: readonly number[]) {
    this.#plan = plan
    this.#places = places
    this.#hashes = plan.cut === 'key' ? null : new Map()
  }

  /** Null if the whole range is proved, or rows have no key by which the target could be asked. */
  static of(plan: TablePlan, range: Range): WrittenKeys | null {
    const { onExisting, proof, sortsAlike, source } = plan
    const isAmong = onExisting === 'upsert' || onExisting === 'append'
    // A token range is no range of a target without a ring; there rows can only be counted by their keys.
    const isNamed = proof === 'count' && range.by !== 'nullKey'
    const isCounted = isNamed && (isAmong || (source.ring !== undefined && !sortsAlike))
    const isSummed = proof === 'canonical' && (isAmong || !sortsAlike)
    const places = targetKeyPositions(plan)
    return (isCounted || isSummed) && places.length > 0 ? new WrittenKeys(plan, places) : null
  }

  /** @param row cells that are written */
  note(row: Row): void {
    const text = keyTextOf(row, this.#places)
    // NULL is a key that any number of rows may have, and none of them is skipped for it.
    if (this.#hashes !== null && this.#places.some((at) => (row[at] ?? null) === null)) return
    this.#texts.add(text)
    if (this.#hashes !== null) {
      const hash = rowHash(row)
      const first = this.#hashes.get(text)
      // Without a key a source may have one row several times; the target has it once.
      if (first === hash) return
      if (first === undefined) this.#hashes.set(text, hash)
    }
    if (this.#isCounted) this.#sum.add(this.#places.map((at) => row[at] ?? null))
    else if (this.#hashes !== null) this.#sum.add(row)
  }

  get texts(): ReadonlySet<string> {
    return this.#texts
  }

  /** Columns that `expected` is of; null if the rows that were read are compared as they are. */
  get columns(): readonly WriteColumn[] | null {
    const { columns } = this.#plan
    if (this.#isCounted) return writeColumns({ columns: this.#places.flatMap((at) => columns[at] ?? []) })
    return this.#hashes === null ? null : writeColumns({ columns })
  }

  /**
   * What the target has to hold under these keys. A proof by count has the checksum of the keys too: the number alone
   * would count one row of the target for each key that finds it.
   */
  get expected(): Digest {
    return this.#sum.digest()
  }

  get #isCounted(): boolean {
    return this.#plan.proof === 'count'
  }
}
