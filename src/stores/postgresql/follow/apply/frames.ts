/**
 * Writes rows that arrived as bytes of a replication stream, by COPY or as parameters: PostgreSQL servers accept each
 * other's value formats.
 */
import type { ChangeBatch, Put } from '../../../../model/copy/change.ts'
import type { FrameLayout } from '../../../../model/copy/frame.ts'
import { unpackRow } from '../../../../model/copy/unpacked.ts'
import type { ColumnType } from '../../../../model/copy/column-type.ts'
import { IS_DELETED, IS_NEW, type PackedRows } from '../../../../model/copy/packed-rows.ts'
import type { Row } from '../../../../model/copy/rows.ts'
import type { ReadColumn } from '../../../../model/copy/read-column.ts'
import type { WriteColumn } from '../../../../model/copy/write-column.ts'
import type { ChangeTable } from '../../../../model/follow/port.ts'
import { sorted, type SortedBatch } from '../../../common/apply/puts.ts'
import { isLossless } from '../../server/cells.ts'
import { FrameFields } from '../replication/framed-change.ts'
import { Framer } from '../replication/framer.ts'
import { code } from '../replication/pgoutput.ts'
import { binaryRows, copiedBytes, LONG, PIECE } from './binary-rows.ts'
import { rowKeyColumns, type MergeColumn } from './merge.ts'

/** Maximum number of layouts in the cache: more than a table has at any time. */
const MOST_LAYOUTS = 1000

const TAB = 9
const NEWLINE = 10
const RETURN = 13
const BACKSLASH = 92
const LETTERS: Readonly<Record<number, number>> = { [TAB]: code('t'), [NEWLINE]: code('n'), [RETURN]: code('r') }
const LETTER_N = code('N')

/** Rows that are written from their bytes, by their positions in a batch: all in binary formats, or all as texts. */
export type Framed = { readonly packed: PackedRows; readonly slots: readonly number[]; readonly isBinary: boolean }

/** A batch in which rows that arrived as bytes stay bytes, if possible. */
export type FramedBatch = SortedBatch & {
  /** Rows to insert or update. */
  readonly frames: Framed | null
  /** Rows to delete. */
  readonly goneFrames: Framed | null
}

/** Part of a batch. `new`: rows that the target should not have yet. `others`: all other rows and all deleted rows. */
export type Share = 'all' | 'new' | 'others'

/** How rows of one layout are written. */
type Fit = {
  readonly layout: Framer
  readonly fields: FrameFields
  /** Positions of the written columns in a message. */
  readonly whole: readonly number[]
  /** Positions of the row key's columns in a message, in order of the row key. */
  readonly key: readonly number[]
}

export class RowFrames {
  readonly #request: ChangeTable
  readonly #written: readonly MergeColumn[]
  /** For each written column: true if no value needs an escape. */
  readonly #isPlain: readonly boolean[]
  readonly #key: readonly number[]
  readonly #isKeyPlain: readonly boolean[]
  /** Null for a layout whose rows must be decoded. A table has one layout at a time, or one for each partition. */
  readonly #fits = new Map<FrameLayout, Fit | null>()
  #last: Fit | null = null

  constructor(request: ChangeTable, written: readonly MergeColumn[]) {
    this.#request = request
    this.#written = written
    this.#isPlain = written.map(({ at }) => isPlain((request.columns[at] as WriteColumn).column.type))
    this.#key = rowKeyColumns(request, written).map((column) => written.indexOf(column))
    this.#isKeyPlain = this.#key.map((at) => this.#isPlain[at] === true)
  }

  /** @throws SluiceError ROW_REFUSED for a row key with a NULL, which finds no row; VALUE_REFUSED */
  sorted(batch: ChangeBatch, share: Share): FramedBatch {
    const { packed } = batch
    const [puts, slots, goneSlots]: [Put[], number[], number[]] = [[], [], []]
    for (const put of batch.puts) if (isOf(share, put.isNew === true)) puts.push(put)
    const gone: Row[] = share === 'new' ? [] : [...batch.gone]
    let isBinary: boolean | null = null
    const length = packed?.length ?? 0
    for (let slot = 0; packed !== undefined && slot < length; slot++) {
      if (!packed.isUsed(slot)) continue
      const flags = packed.flags(slot)
      const isGone = (flags & IS_DELETED) !== 0
      if (!isOf(share, !isGone && (flags & IS_NEW) !== 0)) continue
      const fit = this.#fitOf(packed.layout(slot))
      isBinary ??= fit?.layout.isBinary ?? null
      const fits = fit !== null && fit.layout.isBinary === isBinary
      if (isGone) {
        if (fits) goneSlots.push(slot)
        else gone.push(packed.key(slot))
      } else if (fits) slots.push(slot)
      else puts.push(unpackRow(packed, slot))
    }
    return {
      ...sorted({ puts, gone: gone.filter(canExist) }, this.#request, this.#written),
      frames: packed === undefined || slots.length === 0 ? null : { packed, slots, isBinary: isBinary === true },
      goneFrames:
        packed === undefined || goneSlots.length === 0
          ? null
          : { packed, slots: goneSlots, isBinary: isBinary === true },
    }
  }

  /** Values of the written columns of each row. */
  texts(framed: Framed | null): (string | null)[][] {
    return this.#textsOf(framed, 'whole')
  }

  /** Values of the row key of each row. */
  keyTexts(framed: Framed | null): (string | null)[][] {
    return this.#textsOf(framed, 'key')
  }

  /** Yields the written columns as data for COPY, in pieces that suit a socket. The data is binary if the rows are. */
  rows(framed: Framed | null): Generator<Buffer> {
    return framed?.isBinary === true
      ? this.#binaryOf(framed, 'whole', '')
      : this.#linesOf(framed, 'whole', this.#isPlain, '')
  }

  /**
   * As `rows`, for row keys.
   * @param first value put before each key; the binary format of its type must be its plain text
   */
  keyRows(framed: Framed | null, first: string): Generator<Buffer> {
    return framed?.isBinary === true
      ? this.#binaryOf(framed, 'key', first)
      : this.#linesOf(framed, 'key', this.#isKeyPlain, first)
  }

  #textsOf(framed: Framed | null, which: 'whole' | 'key'): (string | null)[][] {
    if (framed === null) return []
    const { packed, slots } = framed
    return slots.map((slot) => {
      const { layout, fields, [which]: places } = this.#fit(packed.layout(slot))
      const data = packed.data(slot)
      fields.find(data, packed.at(slot))
      return places.map((place) => {
        const length = fields.lengths[place] as number
        return length === -1 ? null : layout.text(place, data, fields.starts[place] as number, length)
      })
    })
  }

  #binaryOf({ packed, slots }: Framed, which: 'whole' | 'key', first: string): Generator<Buffer> {
    return binaryRows(packed, slots, (slot) => {
      const { fields, [which]: places } = this.#fit(packed.layout(slot))
      return { fields, places }
    }, first) // prettier-ignore
  }

  *#linesOf(
    framed: Framed | null,
    which: 'whole' | 'key',
    isPlainAt: readonly boolean[],
    first: string,
  ): Generator<Buffer> {
    if (framed === null) return
    const { packed, slots } = framed
    const head = Buffer.from(first === '' ? '' : `${first}\t`)
    let piece = Buffer.allocUnsafe(0)
    let at = 0
    for (let i = 0; i < slots.length; i++) {
      const slot = slots[i] as number
      const { fields, [which]: places } = this.#fit(packed.layout(slot))
      const data = packed.data(slot)
      // An escape takes two bytes, and so does a NULL; a separator ends each value.
      const most = fields.find(data, packed.at(slot)) * 2 + places.length * 3 + 1 + head.length
      if (at + most > piece.length) {
        if (at > 0) yield piece.subarray(0, at)
        piece = Buffer.allocUnsafe(Math.max(PIECE, most))
        at = 0
      }
      for (let b = 0; b < head.length; b++) piece[at++] = head[b] as number
      at = line(data, fields, places, isPlainAt, piece, at)
    }
    if (at > 0) yield piece.subarray(0, at)
  }

  #fit(layout: FrameLayout): Fit {
    const fit = this.#fitOf(layout)
    if (fit === null) throw new Error('a row was written that does not fit its table')
    return fit
  }

  #fitOf(layout: FrameLayout): Fit | null {
    // Nearly all rows of a batch have one layout.
    if (this.#last?.layout === layout) return this.#last
    const known = this.#fits.get(layout)
    if (known !== undefined) {
      this.#last = known ?? this.#last
      return known
    }
    // Layouts of earlier Relation messages are no longer used.
    if (this.#fits.size >= MOST_LAYOUTS) this.#fits.clear()
    const fit = this.#fitted(layout)
    this.#fits.set(layout, fit)
    return fit
  }

  #fitted(layout: FrameLayout): Fit | null {
    if (!(layout instanceof Framer)) return null
    const whole = this.#placesIn(layout)
    if (whole === null) return null
    return { layout, fields: new FrameFields(layout.width), whole, key: this.#key.map((at) => whole[at] as number) }
  }

  /** Positions of the written columns in a message; null if the target needs other texts than the source's. */
  #placesIn({ columns, places }: Framer): readonly number[] | null {
    const found: number[] = []
    for (const { at, inIdentity } of this.#written) {
      const [from, to, place] = [columns[at], this.#request.columns[at], places[at]]
      if (from === undefined || to === undefined || place === undefined || !isSame(from, to)) return null
      // In a row key 1.5 and 1.50 are equal, and must be written in one form.
      if (inIdentity && from.as.kind === 'decimal' && from.as.scale === undefined) return null
      found.push(place)
    }
    return found
  }
}

/** @returns end of the line */
function line(
  data: Buffer,
  { starts, lengths }: FrameFields,
  places: readonly number[],
  isPlainAt: readonly boolean[],
  piece: Buffer,
  from: number,
): number {
  let at = from
  for (let i = 0; i < places.length; i++) {
    if (i > 0) piece[at++] = TAB
    const place = places[i] as number
    const length = lengths[place] as number
    const start = starts[place] as number
    if (length === -1) {
      piece[at++] = BACKSLASH
      piece[at++] = LETTER_N
    } else if (isPlainAt[i] === true || (length >= LONG && !needsEscape(data, start, start + length))) {
      at = copiedBytes(data, start, length, piece, at)
    } else at = escaped(data, start, start + length, piece, at)
  }
  piece[at++] = NEWLINE
  return at
}

function isOf(share: Share, isNew: boolean): boolean {
  return share === 'all' || isNew === (share === 'new')
}

/** True if the source's text can be written to the target unchanged. */
function isSame(from: ReadColumn, to: WriteColumn): boolean {
  return from.codec === undefined && from.column.native === to.column.native && isLossless(from) && isLossless(to)
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

/** False for a key with U+0000: PostgreSQL cannot store it, so no row has to be deleted. */
function canExist(key: Row): boolean {
  return !key.some((cell) => typeof cell === 'string' && cell.includes('\0'))
}
