/**
 * Memory for small reads. A buffer of its own for each of 100,000 small commits keeps the garbage collector busier than the parsing; parts of
 * one larger block cost nothing, and the block goes when the last of them is dropped.
 */
const SLAB_BYTES = 1 << 20
/** Larger reads get a buffer of their own, so that one of them cannot waste most of a slab. */
const SMALL_BYTES = 1 << 16

let slab: Buffer | null = null
let used = 0

/** An uninitialised buffer of `bytes`, for the caller to fill. */
export function readBuffer(bytes: number): Buffer {
  if (bytes > SMALL_BYTES) return Buffer.allocUnsafeSlow(bytes)
  if (slab === null || used + bytes > SLAB_BYTES) {
    slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
    used = 0
  }
  const part = slab.subarray(used, used + bytes)
  used += bytes
  return part
}
