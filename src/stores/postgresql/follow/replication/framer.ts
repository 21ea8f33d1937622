/** Turns messages of whole rows that keep their row key into frames. Other messages are read value by value. */
import type { RowChange } from '../../../../model/copy/change.ts'
import type { Cell, Row } from '../../../../model/copy/rows.ts'
import type { FollowedTable } from '../../../../model/follow/port.ts'
import type { Reader } from '../../server/cells.ts'
import type { ValueText } from './binary-text.ts'
import { FramedChange, FrameFields, lengthAt, type MessageLayout } from './framed-change.ts'
import { BINARY, DELETE, INSERT, KEY, NEW, NULL, OLD, TEXT, UPDATE } from './pgoutput.ts'

/** Larger messages are read value by value, because the frames of a batch keep their blocks in memory. */
const MOST = 8 * 1024 * 1024

/** Bytes of a message before its values: letter, relation, letter of the row, number of columns. */
const HEAD = 1 + 4 + 1 + 2

/** @param column its index among the requested columns @throws SluiceError VALUE_REFUSED */
type CellOf = (column: number, text: string) => Cell

/** Format of the values of a message, and functions that make texts of them. */
export type MessageValues = { readonly isBinary: boolean; readonly texts: readonly ValueText[] }

export class Framer implements MessageLayout {
  readonly columns: FollowedTable['columns']
  readonly places: readonly number[]
  readonly width: number
  readonly isBinary: boolean
  readonly #letter: number
  /** Functions that make texts, one for each value of a message. */
  readonly #texts: readonly ValueText[]
  readonly #place: number
  readonly #cell: CellOf
  /** Indexes in `columns` of the columns of the row key. */
  readonly #identity: readonly number[]
  readonly #isKey: readonly boolean[]
  /**
   * Position, in a message, of the only column of the row key, if its text can identify the row unchanged; otherwise
   * -1.
   */
  readonly #nameAt: number
  readonly #fields: FrameFields
  /** Start and length of the text at `#nameAt` in the last message; length -1 if the row key is not a single text. */
  #named = 0
  #nameLength = -1

  /** @param places positions of the columns in a message @param identity indexes of the row key in `columns` */
  constructor(
    place: number,
    { columns }: FollowedTable,
    readers: readonly (Reader | null)[],
    cell: CellOf,
    places: readonly number[],
    identity: readonly number[],
    { isBinary, texts }: MessageValues,
  ) {
    this.columns = columns
    this.places = places
    const width = texts.length
    this.width = width
    this.isBinary = isBinary
    this.#letter = isBinary ? BINARY : TEXT
    this.#texts = texts
    this.#place = place
    this.#cell = cell
    this.#identity = identity
    this.#isKey = Array.from({ length: width }, (_, i) => identity.some((column) => places[column] === i))
    const [only = -1] = identity
    this.#nameAt = identity.length === 1 && readers[only] == null ? (places[only] ?? -1) : -1
    this.#fields = new FrameFields(width)
  }

  /** @returns null if the message is broken or has to be read value by value */
  frame(data: Buffer, start: number, end: number): RowChange | null {
    const kind = data[start] as number
    if (end - start > MOST || start + HEAD > end || !isWhole(kind, data[start + 5] as number)) return null
    if (data.readUInt16BE(start + 6) !== this.width) return null
    const first = start + HEAD
    if (!this.#measure(data, first, end)) return null
    const type = kind === DELETE ? 'delete' : kind === INSERT ? 'insert' : 'update'
    const bytes = end - first
    return new FramedChange(type, this.#place, this, data, first, bytes, this.#named, this.#nameLength) as RowChange
  }

  /**
   * Finds the text of the column at `#nameAt`. @returns true if the message has exactly all values, and no NULL in the
   * row key
   */
  #measure(data: Buffer, first: number, end: number): boolean {
    let at = first
    this.#nameLength = -1
    for (let i = 0; i < this.width; i++) {
      if (at >= end) return false
      const letter = data[at++]
      if (letter === NULL) {
        if (this.#isKey[i] === true) return false
        continue
      }
      if (letter !== this.#letter || at + 4 > end) return false
      const length = lengthAt(data, at)
      if (length < 0 || length > end - at - 4) return false
      at += 4
      if (i === this.#nameAt) {
        this.#named = at
        this.#nameLength = length
      }
      at += length
    }
    return at === end
  }

  /** @throws SluiceError VALUE_REFUSED */
  cells(data: Buffer, at: number): Row {
    return this.#cells(data, at, this.columns.keys())
  }

  name(data: Buffer, at: number, length: number): string {
    return this.text(this.#nameAt, data, at, length)
  }

  /** Text that the server prints for a value. @param place its position in the message @param at its first byte */
  text(place: number, data: Buffer, at: number, length: number): string {
    return (this.#texts[place] as ValueText)(data, at, at + length)
  }

  identity(data: Buffer, at: number): Row {
    return this.#cells(data, at, this.#identity)
  }

  #cells(data: Buffer, at: number, columns: Iterable<number>): Row {
    this.#fields.find(data, at)
    const { starts, lengths } = this.#fields
    return Array.from(columns, (column) => {
      const place = this.places[column] as number
      const length = lengths[place] as number
      if (length === -1) return null
      return this.#cell(column, this.text(place, data, starts[place] as number, length))
    })
  }
}

/** True if a complete row follows: the key for a DELETE, all values otherwise. */
function isWhole(kind: number, letter: number): boolean {
  return kind === DELETE ? letter === KEY || letter === OLD : (kind === INSERT || kind === UPDATE) && letter === NEW
}
