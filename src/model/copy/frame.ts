/** Rows as the bytes that their source sent. */
import type { Row } from './rows.ts'

/** How the bytes of a row are read: one layout for all rows of a table, until its columns change. */
export interface FrameLayout {
  /** All cells of a row. @param at offset of its first value @throws SluiceError VALUE_REFUSED */
  cells(data: Buffer, at: number): Row
  /** `identityName` of its identity. @param at offset of the bytes that are the name, so many of them */
  name(data: Buffer, at: number, length: number): string
  /** Cells of its identity. */
  identity(data: Buffer, at: number): Row
}

/**
 * A row as the bytes that its source sent. A target of the same system writes them as they are (`FrameFormat`). Other targets decode the cells on demand, which costs more
 * than all other work on a row.
 */
export interface RowFrame {
  /** `identityName` of its identity. */
  readonly name: string
  /** Offset and length of the bytes in `data` that tell `name` from others of its layout; a length of -1 where no bytes do. */
  readonly nameAt: number
  readonly nameLength: number
  /** Bytes of whole messages; the row begins at the offset `at`. */
  readonly data: Buffer
  readonly at: number
  /** Length of its values, in bytes. */
  readonly bytes: number
  readonly layout: FrameLayout
}
