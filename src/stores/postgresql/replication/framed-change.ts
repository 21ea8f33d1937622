/**
 * A row of the stream that nobody has looked into: the bytes of its message, and the text that tells it from other rows. Most rows are written as they came, and a batch of
 * them costs one object each, where cells cost six times as many.
 */
import type { RowFrame } from '../../../model/copy/change.ts'
import type { Row } from '../../../model/copy/rows.ts'
import type { ReadColumn } from '../../read-column.ts'

/** What the frames of one table have in common, from one Relation message to the next. */
export interface FrameLayout {
  /** In the order of the cells of a row. */
  readonly columns: readonly ReadColumn[]
  /** Where they stand in a message, by the same order. */
  readonly places: readonly number[]
  /** Columns of a message. */
  readonly width: number
  /** Cells of a frame. */
  cells(frame: FramedChange): Row
  /** Identity of a frame. */
  identity(frame: FramedChange): Row
}

const NULL = 'n'.charCodeAt(0)

/** An INSERT, or an UPDATE that tells the whole row and keeps its identity. */
export class FramedChange implements RowFrame {
  readonly type: 'insert' | 'update'
  readonly table: number
  readonly key = null
  readonly name: string
  readonly layout: FrameLayout
  readonly data: Buffer
  /** Where its first value begins, with the letter before it: all of them are texts or NULLs. */
  readonly at: number
  #row: Row | null = null

  constructor(type: 'insert' | 'update', table: number, name: string, layout: FrameLayout, data: Buffer, at: number) {
    this.type = type
    this.table = table
    this.name = name
    this.layout = layout
    this.data = data
    this.at = at
  }

  get frame(): RowFrame {
    return this
  }

  get row(): Row {
    return (this.#row ??= this.layout.cells(this))
  }

  get identity(): Row {
    return this.layout.identity(this)
  }
}

/** Where the values of frames stand: filled for one frame after the other. */
export class FrameFields {
  /** First byte of each value of the message. */
  readonly starts: Int32Array
  /** Its bytes; -1 for NULL. */
  readonly lengths: Int32Array

  constructor(width: number) {
    this.starts = new Int32Array(width)
    this.lengths = new Int32Array(width)
  }

  /** @returns bytes of all values */
  find({ data, at: from, layout: { width } }: FramedChange): number {
    let at = from
    let bytes = 0
    for (let i = 0; i < width; i++) {
      if (data[at] === NULL) {
        this.lengths[i] = -1
        at++
        continue
      }
      const length = lengthAt(data, at + 1)
      this.starts[i] = at + 5
      this.lengths[i] = length
      bytes += length
      at += 5 + length
    }
    return bytes
  }
}

/** Four bytes as a length: negative where none can be so long. */
export function lengthAt(data: Buffer, at: number): number {
  return (
    ((data[at] as number) << 24) |
    ((data[at + 1] as number) << 16) |
    ((data[at + 2] as number) << 8) |
    (data[at + 3] as number)
  )
}
