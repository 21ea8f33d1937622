/** Rows that came in the binary formats of their types, as COPY's binary format: https://www.postgresql.org/docs/18/sql-copy.html */
import type { PackedRows } from '../../../../model/copy/packed-rows.ts'
import type { FrameFields } from '../replication/framed-change.ts'
import { copiedBytes, PIECE } from './pieces.ts'

/** Signature, flags, and the length of an extension that there is not. */
const HEADER = Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8)])
/** In place of the number of values, or of the length of one. */
const NONE = 0xff

/** @property places of the values that are written, in their order */
export type BinaryFit = { readonly fields: FrameFields; readonly places: readonly number[] }

/**
 * @param fit how the row in a slot is read
 * @param first value in front of each row, of a type whose binary format is its text; none where it is empty
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
    // Behind the number of values each one has its length in front.
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

/** @returns where they end */
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
    // The message has the same four bytes of the length in front of the value.
    at = copiedBytes(data, (starts[place] as number) - 4, length + 4, piece, at)
  }
  return at
}
