/**
 * A row of the stream that is not decoded: the bytes of its message, and the text that identifies the row. Most rows
 * are written as they came; cells would cost six times as many objects.
 */
import type { FrameLayout, RowFrame } from '../../../../model/copy/frame.ts'
import { identityName } from '../../../../model/copy/identity-name.ts'
import type { Row } from '../../../../model/copy/rows.ts'
import type { ReadColumn } from '../../../../model/copy/read-column.ts'

/** Layout that all messages of one table share between two Relation messages. */
export interface MessageLayout extends FrameLayout {
  /** Columns in the order of the cells of a row. */
  readonly columns: readonly ReadColumn[]
  /** Position of each column in a message, in the same order. */
  readonly places: readonly number[]
  /** Number of columns of a message. */
  readonly width: number
  /** True if values are in the binary formats of their types. */
  readonly isBinary: boolean
}

const NULL = 'n'.charCodeAt(0)

/** An INSERT, an UPDATE that sends the whole row and keeps its row key, or a DELETE. */
export class FramedChange implements RowFrame {
  readonly type: 'insert' | 'update' | 'delete'
  readonly table: number
  readonly nameAt: number
  readonly nameLength: number
  readonly layout: MessageLayout
  readonly data: Buffer
  /** Offset of the first value, which begins with its letter. All values have the same format or are NULL. */
  readonly at: number
  readonly bytes: number

  constructor(
    type: 'insert' | 'update' | 'delete',
    table: number,
    layout: MessageLayout,
    data: Buffer,
    at: number,
    bytes: number,
    nameAt: number,
    nameLength: number,
  ) {
    this.type = type
    this.table = table
    this.nameAt = nameAt
    this.nameLength = nameLength
    this.layout = layout
    this.data = data
    this.at = at
    this.bytes = bytes
  }

  get frame(): RowFrame {
    return this
  }

  get name(): string {
    const { data, nameAt, nameLength } = this
    if (nameLength !== -1) return this.layout.name(data, nameAt, nameLength)
    return identityName(this.layout.identity(data, this.at))
  }

  /** @throws SluiceError VALUE_REFUSED */
  get row(): Row {
    return this.layout.cells(this.data, this.at)
  }

  /** Row key of a DELETE; null otherwise, since the row keeps its key. */
  get key(): Row | null {
    return this.type === 'delete' ? this.layout.identity(this.data, this.at) : null
  }
}

/** Offsets of a row's values: reused for one row after the other. */
export class FrameFields {
  /** Offset of the first byte of each value of the message. */
  readonly starts: Int32Array
  /** Bytes of each value; -1 for NULL. */
  readonly lengths: Int32Array

  constructor(width: number) {
    this.starts = new Int32Array(width)
    this.lengths = new Int32Array(width)
  }

  /** @param from offset of the first value @returns bytes of all values */
  find(data: Buffer, from: number): number {
    const { starts, lengths } = this
    const width = lengths.length
    let at = from
    let bytes = 0
    for (let i = 0; i < width; i++) {
      if (data[at] === NULL) {
        lengths[i] = -1
        at++
        continue
      }
      const length = lengthAt(data, at + 1)
      starts[i] = at + 5
      lengths[i] = length
      bytes += length
      at += 5 + length
    }
    return bytes
  }
}

/** Reads four bytes as a length: negative if the length is impossible. */
export function lengthAt(data: Buffer, at: number): number {
  return (
    ((data[at] as number) << 24) |
    ((data[at + 1] as number) << 16) |
    ((data[at + 2] as number) << 8) |
    (data[at + 3] as number)
  )
}
