/**
 * How many rows the bytes of frames are, before anybody has counted them. The size of a table on disk says little about it: it has headers, dead rows and free space
 * that are never sent. What the chunks that have ended came to says more.
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

  /** @returns rows, with a fraction */
  of(bytes: number): number {
    return bytes / this.#guessed
  }

  /** A chunk has ended: so many rows were so many bytes. */
  counted(bytes: number, rows: number): void {
    if (rows <= 0) return
    this.#bytes += bytes
    this.#rows += rows
    this.#guessed = Math.max(1, this.#bytes / this.#rows)
  }
}
