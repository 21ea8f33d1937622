import { sumText } from '../../model/copy/row-hash.ts'
import type { Digest } from '../../model/copy/rows.ts'

/** Rows with their generated columns of all chunks of a table without a key: these are no ranges of the target. */
export class ComputedRows {
  #rows = 0n
  #sum = 0n

  add({ rows, sum }: Digest): void {
    this.#rows += rows
    this.#sum += BigInt(`0x${sum}`)
  }

  digest(): Digest {
    return { rows: this.#rows, sum: sumText(this.#sum) }
  }
}
