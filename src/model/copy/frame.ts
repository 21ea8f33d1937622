/** Rows as the raw bytes that their source sent. */
import type { Row } from './rows.ts'

/** Layout of a row's bytes: one for all rows of a table, until its columns change. */
export interface FrameLayout {
  /** Decodes all cells of a row. @param at offset of its first value @throws SluiceError VALUE_REFUSED */
  cells(data: Buffer, at: number): Row
  /** `identityName` of a row key. @param at offset of the key's bytes in `data` @param length their number */
  name(data: Buffer, at: number, length: number): string
  /** Decodes the cells of a row key. */
  identity(data: Buffer, at: number): Row
}

/**
 * A row as raw bytes from its source. A target of the same system writes them unchanged (`FrameFormat`). Other targets
 * decode the cells on demand, which costs more than all other work on a row.
 */
export interface RowFrame {
  /** `identityName` of its row key. */
  readonly name: string
  /**
   * Offset and length in `data` of the key bytes. In one layout, equal bytes mean equal names. Length -1: there are no
   * key bytes.
   */
  readonly nameAt: number
  readonly nameLength: number
  /** Whole protocol messages; the row begins at the offset `at`. */
  readonly data: Buffer
  readonly at: number
  /** Length of its values, in bytes. */
  readonly bytes: number
  readonly layout: FrameLayout
}
