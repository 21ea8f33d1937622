import { addDigests, NO_ROWS } from '../../../model/copy/row-hash.ts'
import type { Digest } from '../../../model/copy/rows.ts'

/**
 * Digest of generated columns over all chunks of a table without a key: the target cannot select the rows of one chunk.
 */
export class ComputedRows {
  #digest = NO_ROWS

  add(chunk: Digest): void {
    this.#digest = addDigests(this.#digest, chunk)
  }

  digest(): Digest {
    return this.#digest
  }
}
