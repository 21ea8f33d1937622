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
