/** Messages of a table that become frames: whole rows which keep their identity. All others are read value by value. */
import type { RowChange } from '../../../model/copy/change.ts'
import { identityName } from '../../../model/copy/identity-name.ts'
import type { Cell, Row } from '../../../model/copy/rows.ts'
import type { FollowedTable } from '../../follow-port.ts'
import type { Reader } from '../copy/cells.ts'
import { FramedChange, FrameFields, lengthAt, type FrameLayout } from './framed-change.ts'
import { textOf } from './pgoutput.ts'

/** Larger messages are read value by value: frames of one batch hold the blocks that they came in. */
const MOST = 8 * 1024 * 1024

const INSERT = code('I')
const UPDATE = code('U')
const DELETE = code('D')
/** What stands before a row. */
const NEW = code('N')
const KEY = code('K')
const OLD = code('O')
const NULL = code('n')
const TEXT = code('t')
/** Letter, relation, letter of the row, number of columns. */
const HEAD = 1 + 4 + 1 + 2

/** @param column its place among those that were asked for @throws SluiceError VALUE_REFUSED */
type CellOf = (column: number, text: string) => Cell

export class Framer implements FrameLayout {
  readonly columns: FollowedTable['columns']
  readonly places: readonly number[]
  readonly width: number
  readonly #place: number
  readonly #cell: CellOf
  /** Columns of the identity among `columns`. */
  readonly #identity: readonly number[]
  readonly #isKey: readonly boolean[]
  /** Place of the only column of the identity where its text is its name; -1 else. */
  readonly #nameAt: number
  readonly #fields: FrameFields

  /** @param places of the columns in a message @param identity places of the identity among the columns @param width columns of a message */
  constructor(
    place: number,
    { columns }: FollowedTable,
    readers: readonly (Reader | null)[],
    cell: CellOf,
    places: readonly number[],
    identity: readonly number[],
    width: number,
  ) {
    this.columns = columns
    this.places = places
    this.width = width
    this.#place = place
    this.#cell = cell
    this.#identity = identity
    this.#isKey = Array.from({ length: width }, (_, i) => identity.some((column) => places[column] === i))
    const [only = -1] = identity
    this.#nameAt = identity.length === 1 && readers[only] == null ? (places[only] ?? -1) : -1
    this.#fields = new FrameFields(width)
  }

  /** @returns null for a message that has to be read value by value, or is broken; of a DELETE nothing but its key is read */
  frame(data: Buffer, start: number, end: number): RowChange | null {
    const kind = data[start] as number
    if (end - start > MOST || start + HEAD > end || !isWhole(kind, data[start + 5] as number)) return null
    if (data.readUInt16BE(start + 6) !== this.width) return null
    const first = start + HEAD
    const name = this.#named(data, first, end)
    if (name === null) return null
    const type = kind === INSERT ? 'insert' : 'update'
    if (kind !== DELETE && name !== '') return new FramedChange(type, this.#place, name, this, data, first)
    if (kind === DELETE && name !== '') return { type: 'delete', table: this.#place, key: [name] }
    const key = this.identity(new FramedChange(type, this.#place, name, this, data, first))
    if (kind === DELETE) return { type: 'delete', table: this.#place, key }
    return new FramedChange(type, this.#place, identityName(key), this, data, first)
  }

  /** @returns the text that is the whole name of the row; an empty one where its key has to be read; null where the values are not all told */
  #named(data: Buffer, first: number, end: number): string | null {
    let at = first
    let name = ''
    for (let i = 0; i < this.width; i++) {
      if (at >= end) return null
      const letter = data[at++]
      if (letter === NULL) {
        if (this.#isKey[i] === true) return null
        continue
      }
      if (letter !== TEXT || at + 4 > end) return null
      const length = lengthAt(data, at)
      if (length < 0 || length > end - at - 4) return null
      if (i === this.#nameAt) name = textOf(data, at + 4, at + 4 + length)
      at += 4 + length
    }
    return at === end ? name : null
  }

  /** @throws SluiceError VALUE_REFUSED */
  cells(frame: FramedChange): Row {
    return this.#cells(frame, this.columns.keys())
  }

  identity(frame: FramedChange): Row {
    return this.#cells(frame, this.#identity)
  }

  #cells(frame: FramedChange, columns: Iterable<number>): Row {
    this.#fields.find(frame)
    const { starts, lengths } = this.#fields
    return Array.from(columns, (column) => {
      const place = this.places[column] as number
      const length = lengths[place] as number
      if (length === -1) return null
      const start = starts[place] as number
      return this.#cell(column, textOf(frame.data, start, start + length))
    })
  }
}

/** Whether a row follows that tells all that is needed: its key, or all of its values. */
function isWhole(kind: number, letter: number): boolean {
  return kind === DELETE ? letter === KEY || letter === OLD : (kind === INSERT || kind === UPDATE) && letter === NEW
}

function code(letter: string): number {
  return letter.charCodeAt(0)
}
