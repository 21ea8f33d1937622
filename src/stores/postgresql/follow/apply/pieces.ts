/** Pieces of COPY that are put together from the bytes of a stream. */

/** Bytes of a piece: larger ones are no faster, smaller ones cost a system call each. */
export const PIECE = 128 * 1024
/** From this length on a value is copied by the runtime, whose call takes as long as so many bytes. */
export const LONG = 48

/** @returns where the copied bytes end in the piece */
export function copiedBytes(data: Buffer, start: number, length: number, piece: Buffer, at: number): number {
  if (length >= LONG) data.copy(piece, at, start, start + length)
  else for (let i = 0; i < length; i++) piece[at + i] = data[start + i] as number
  return at + length
}
