/**
 * Estimates the number of rows from bytes of frames while they are sent. The first estimate uses the table's size on
 * disk and is poor, because this size includes headers, dead rows and free space. Finished chunks give a better ratio.
 */
import type { TableSpec } from '../../../model/copy/column-type.ts'

const UNKNOWN_BYTES = 100

export class FrameRows {
  #guessed: number
  #bytes = 0
  #rows = 0

  constructor({ rows, bytes }: Pick<TableSpec, 'rows' | 'bytes'>) {
    this.#guessed = rows > 0n ? Math.max(1, Number(bytes / rows)) : UNKNOWN_BYTES
  }

  /** @returns rows, may be fractional */
  of(bytes: number): number {
    return bytes / this.#guessed
  }

  /** Records the bytes and the rows of a finished chunk. */
  recordChunk(bytes: number, rows: number): void {
    if (rows <= 0) return
    this.#bytes += bytes
    this.#rows += rows
    this.#guessed = Math.max(1, this.#bytes / this.#rows)
  }
}
