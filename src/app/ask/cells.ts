/**
 * Rows as bytes: kind and length of each cell, then the values as text. A reader can find each value without reading
 * long ones, and no digit is lost.
 */
import type { SqlRow, SqlValue } from '../../model/run/sql-port.ts'
import { bytesText } from '../../model/copy/bytes-text.ts'
import type { AskCell } from './port.ts'

const KINDS = ['null', 'text', 'integer', 'real', 'bytes'] as const
type Kind = (typeof KINDS)[number]

/** Bytes of the kind and the length of one cell. */
export const HEAD_BYTES = 5

/** Encodes rows for the file, in one reused buffer. */
export class RowEncoder {
  #bytes = Buffer.allocUnsafe(1 << 16)
  #at = 0

  /** @returns bytes encoded since the last call, valid until the next row */
  takeBytes(): Buffer {
    const bytes = this.#bytes.subarray(0, this.#at)
    this.#at = 0
    return bytes
  }

  get length(): number {
    return this.#at
  }

  row(values: SqlRow, columns: number): void {
    const head = this.#at
    this.#reserve(columns * HEAD_BYTES)
    this.#at += columns * HEAD_BYTES
    for (let i = 0; i < columns; i++) {
      const value = values[i] ?? null
      const begin = this.#at
      const kind = kindOf(value)
      if (value instanceof Uint8Array) {
        this.#reserve(value.byteLength)
        this.#bytes.set(value, this.#at)
        this.#at += value.byteLength
      } else if (value !== null) {
        const text = Object.is(value, -0) ? '-0' : String(value)
        // UTF-8 needs at most three bytes per UTF-16 unit.
        this.#reserve(text.length * 3)
        this.#at += this.#bytes.write(text, this.#at, 'utf8')
      }
      const place = head + i * HEAD_BYTES
      this.#bytes[place] = KINDS.indexOf(kind)
      this.#bytes.writeUInt32LE(this.#at - begin, place + 1)
    }
  }

  #reserve(more: number): void {
    if (this.#at + more <= this.#bytes.byteLength) return
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.byteLength * 2, this.#at + more))
    this.#bytes.copy(larger, 0, 0, this.#at)
    this.#bytes = larger
  }
}

function kindOf(value: SqlValue): Kind {
  if (value === null) return 'null'
  if (typeof value === 'string') return 'text'
  if (typeof value === 'bigint') return 'integer'
  // Drivers return larger integers as bigints.
  if (typeof value === 'number') return Number.isSafeInteger(value) && !Object.is(value, -0) ? 'integer' : 'real'
  return 'bytes'
}

export type CellHead = { readonly kind: Kind; readonly length: number }

/** @param at start of the row's head */
export function cellHead(bytes: Buffer, at: number, column: number): CellHead {
  const place = at + column * HEAD_BYTES
  return { kind: KINDS[bytes[place] ?? 0] ?? 'null', length: bytes.readUInt32LE(place + 1) }
}

/**
 * @param bytes the value, or its start
 * @param whole true if the value is complete
 */
export function askCell(kind: Kind, bytes: Buffer, whole: boolean): AskCell {
  if (kind === 'null') return null
  if (kind === 'bytes') return { kind, text: bytesText(bytes), whole }
  // A cut may split a character.
  const text = bytes.toString('utf8')
  return { kind, text: whole ? text : text.replace(/\ufffd+$/, ''), whole }
}
