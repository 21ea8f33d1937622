/** Rows that came as the bytes of a stream, as COPY's text format and as parameters: what a server printed is what another one of the same settings reads. */
import type { ChangeBatch, Put, RowFrame } from '../../../model/copy/change.ts'
import type { ColumnType } from '../../../model/copy/column-type.ts'
import type { ReadColumn, WriteColumn } from '../../copy-port.ts'
import type { ChangeTable } from '../../follow-port.ts'
import { sorted, type SortedBatch } from '../../apply/puts.ts'
import { travelsWhole } from '../copy/cells.ts'
import { FramedChange, FrameFields, type FrameLayout } from '../replication/framed-change.ts'
import { textOf } from '../replication/pgoutput.ts'
import type { WrittenColumn } from './merge.ts'

/** Bytes of a piece: larger ones are no faster, smaller ones cost a system call each. */
const PIECE = 128 * 1024
/** From this length on a value is copied by the runtime, whose call takes as long as so many bytes. */
const LONG = 48

const TAB = 9
const NEWLINE = 10
const RETURN = 13
const BACKSLASH = 92
const LETTERS: Readonly<Record<number, number>> = { [TAB]: code('t'), [NEWLINE]: code('n'), [RETURN]: code('r') }
const LETTER_N = code('N')

/** A batch in which rows that came as bytes stay so. */
export type FramedBatch = SortedBatch & { readonly frames: readonly FramedChange[] }

/** Where the written columns of a table stand in its frames. */
type Fit = { readonly layout: FrameLayout; readonly places: readonly number[] | null }

export class Frames {
  readonly #request: ChangeTable
  readonly #written: readonly WrittenColumn[]
  /** Whether nothing in a written column needs an escape. */
  readonly #isPlain: readonly boolean[]
  #fit: Fit | null = null
  #fields = new FrameFields(0)

  constructor(request: ChangeTable, written: readonly WrittenColumn[]) {
    this.#request = request
    this.#written = written
    this.#isPlain = written.map(({ at }) => isPlain((request.columns[at] as WriteColumn).column.type))
  }

  /** @throws SluiceError ROW_REFUSED for an identity with a NULL, which finds no row */
  sorted({ puts, gone }: ChangeBatch): FramedBatch {
    const frames: FramedChange[] = []
    const others: Put[] = []
    for (const put of puts) {
      if (this.fits(put.frame)) frames.push(put.frame)
      else others.push(put)
    }
    return { ...sorted({ puts: others, gone }, this.#request, this.#written), frames }
  }

  /** Whether a row can be written as it came: its columns are those of the table, of the same types. */
  fits(frame: RowFrame | undefined): frame is FramedChange {
    if (!(frame instanceof FramedChange)) return false
    const { layout } = frame
    if (this.#fit?.layout !== layout) {
      this.#fit = { layout, places: this.#placesIn(layout) }
      this.#fields = new FrameFields(layout.width)
    }
    return this.#fit.places !== null
  }

  /** Values of the written columns. @param frame one that fits */
  texts(frame: FramedChange): (string | null)[] {
    const places = this.#places(frame)
    this.#fields.find(frame)
    const { starts, lengths } = this.#fields
    return places.map((place) => {
      const length = lengths[place] as number
      const start = starts[place] as number
      return length === -1 ? null : textOf(frame.data, start, start + length)
    })
  }

  /** Lines of the written columns for COPY, in pieces that suit a socket. @param frames that fit */
  *lines(frames: readonly FramedChange[]): Generator<Buffer> {
    let piece = Buffer.allocUnsafe(0)
    let at = 0
    for (const frame of frames) {
      const places = this.#places(frame)
      // An escape is two bytes, and so are a NULL and what ends a value.
      const most = this.#fields.find(frame) * 2 + places.length * 3 + 1
      if (at + most > piece.length) {
        if (at > 0) yield piece.subarray(0, at)
        piece = Buffer.allocUnsafe(Math.max(PIECE, most))
        at = 0
      }
      at = this.#line(frame.data, places, piece, at)
    }
    if (at > 0) yield piece.subarray(0, at)
  }

  /** @returns where the line ends */
  #line(data: Buffer, places: readonly number[], piece: Buffer, from: number): number {
    const { starts, lengths } = this.#fields
    let at = from
    for (let i = 0; i < places.length; i++) {
      if (i > 0) piece[at++] = TAB
      const place = places[i] as number
      const length = lengths[place] as number
      const start = starts[place] as number
      if (length === -1) {
        piece[at++] = BACKSLASH
        piece[at++] = LETTER_N
      } else if (this.#isPlain[i] === true || (length >= LONG && !needsEscape(data, start, start + length))) {
        at = copied(data, start, length, piece, at)
      } else at = escaped(data, start, start + length, piece, at)
    }
    piece[at++] = NEWLINE
    return at
  }

  /** Frames of one batch may be of several Relation messages. */
  #places(frame: FramedChange): readonly number[] {
    if (!this.fits(frame) || this.#fit?.places == null) throw new Error('a row was written that does not fit its table')
    return this.#fit.places
  }

  #placesIn({ columns, places }: FrameLayout): readonly number[] | null {
    const found: number[] = []
    for (const { at, inIdentity } of this.#written) {
      const [from, to, place] = [columns[at], this.#request.columns[at], places[at]]
      if (from === undefined || to === undefined || place === undefined || !isSame(from, to)) return null
      // Of an identity 1.5 and 1.50 are one, and written in one way.
      if (inIdentity && from.as.kind === 'decimal' && from.as.scale === undefined) return null
      found.push(place)
    }
    return found
  }
}

/** Whether what the source prints is what the target would have to be given. */
function isSame(from: ReadColumn, to: WriteColumn): boolean {
  return from.codec === undefined && from.column.native === to.column.native && travelsWhole(from) && travelsWhole(to)
}

function isPlain({ kind }: ColumnType): boolean {
  return kind === 'bool' || kind === 'int' || kind === 'decimal' || kind === 'uuid' || kind === 'float' || isTime(kind)
}

function isTime(kind: ColumnType['kind']): boolean {
  return kind === 'date' || kind === 'time' || kind === 'timestamp'
}

function needsEscape(data: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = data[at] as number
    if (byte === BACKSLASH || byte === TAB || byte === NEWLINE || byte === RETURN) return true
  }
  return false
}

function copied(data: Buffer, start: number, length: number, piece: Buffer, at: number): number {
  if (length >= LONG) data.copy(piece, at, start, start + length)
  else for (let i = 0; i < length; i++) piece[at + i] = data[start + i] as number
  return at + length
}

function escaped(data: Buffer, start: number, end: number, piece: Buffer, from: number): number {
  let at = from
  for (let i = start; i < end; i++) {
    const byte = data[i] as number
    if (byte === BACKSLASH || byte === TAB || byte === NEWLINE || byte === RETURN) {
      piece[at++] = BACKSLASH
      piece[at++] = LETTERS[byte] ?? byte
    } else piece[at++] = byte
  }
  return at
}

function code(letter: string): number {
  return letter.charCodeAt(0)
}
