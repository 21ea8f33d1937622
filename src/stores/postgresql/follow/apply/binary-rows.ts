/** Rows in binary formats, written as COPY's binary format: https://www.postgresql.org/docs/18/sql-copy.html */
import type { PackedRows } from '../../../../model/copy/packed-rows.ts'
import type { FrameFields } from '../replication/framed-change.ts'

/** Signature, flags, and length of the extension (0). */
const HEADER = Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8)])
/** Each byte of -1: as the number of values, it marks the end of the data; as the length of a value, it marks NULL. */
const NONE = 0xff

/** @property places positions of the written values, in order */
export type BinaryFit = { readonly fields: FrameFields; readonly places: readonly number[] }

/**
 * Yields COPY data of some packed rows.
 * @param slots positions of the rows in `packed`
 * @param fit returns how to read the row at a position
 * @param first value put before each row, of a type whose binary format is its text; omitted if empty
 */
export function* binaryRows(
  packed: PackedRows,
  slots: readonly number[],
  fit: (slot: number) => BinaryFit,
  first = '',
): Generator<Buffer> {
  const head = Buffer.from(first)
  let piece = Buffer.allocUnsafe(PIECE)
  let at = HEADER.copy(piece)
  for (let i = 0; i < slots.length; i++) {
    const slot = slots[i] as number
    const { fields, places } = fit(slot)
    const data = packed.data(slot)
    // The number of values, then each value with its length before it.
    const most = 2 + (places.length + 1) * 4 + head.length + fields.find(data, packed.at(slot))
    if (at + most + 2 > piece.length) {
      yield piece.subarray(0, at)
      piece = Buffer.allocUnsafe(Math.max(PIECE, most + 2))
      at = 0
    }
    const count = places.length + (head.length > 0 ? 1 : 0)
    piece[at++] = count >> 8
    piece[at++] = count
    if (head.length > 0) {
      at = piece.writeUInt32BE(head.length, at)
      at += head.copy(piece, at)
    }
    at = values(data, fields, places, piece, at)
  }
  piece[at++] = NONE
  piece[at++] = NONE
  yield piece.subarray(0, at)
}

/** @returns end of the values */
function values(
  data: Buffer,
  { starts, lengths }: FrameFields,
  places: readonly number[],
  piece: Buffer,
  from: number,
): number {
  let at = from
  for (let i = 0; i < places.length; i++) {
    const place = places[i] as number
    const length = lengths[place] as number
    if (length === -1) {
      for (let b = 0; b < 4; b++) piece[at++] = NONE
      continue
    }
    // The message has the same four bytes of length before the value.
    at = copiedBytes(data, (starts[place] as number) - 4, length + 4, piece, at)
  }
  return at
}

/** Builds pieces of COPY data from the bytes of a stream. */

/** Bytes of a piece: larger pieces are no faster, and smaller ones cost a system call each. */
export const PIECE = 128 * 1024
/** From this length on a value is copied by the runtime: the call itself costs as much as copying this many bytes. */
export const LONG = 48

/** @returns end of the copied bytes in the piece */
export function copiedBytes(data: Buffer, start: number, length: number, piece: Buffer, at: number): number {
  if (length >= LONG) data.copy(piece, at, start, start + length)
  else for (let i = 0; i < length; i++) piece[at + i] = data[start + i] as number
  return at + length
}
