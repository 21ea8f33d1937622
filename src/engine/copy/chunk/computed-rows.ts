import { added, NO_ROWS } from '../../../model/copy/row-hash.ts'
import type { Digest } from '../../../model/copy/rows.ts'

/** Rows with their generated columns of all chunks of a table without a key: these are no ranges of the target. */
export class ComputedRows {
  #sum = NO_ROWS

  add(chunk: Digest): void {
    this.#sum = added(this.#sum, chunk)
  }

  digest(): Digest {
    return this.#sum
  }
}
