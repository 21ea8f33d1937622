/** Variable-length integers, as used in durations and for lengths within vectors. */

/** Bytes of a signed integer: zigzag encoding, then `uvintBytes`. */
export function vintBytes(value: bigint): Buffer {
  return uvintBytes(BigInt.asUintN(64, (value << 1n) ^ (value >> 63n)))
}

/** The first byte begins with a one bit for each byte that follows. @param value 0 to 2^64 - 1 */
export function uvintBytes(value: bigint): Buffer {
  const bits = value.toString(2).length
  // Each further byte adds seven bits; with eight further bytes, no bit of the first is left.
  const extra = bits > 56 ? 8 : Math.ceil(bits / 7) - 1
  const bytes = Buffer.alloc(extra + 1)
  for (let at = extra, rest = value; at >= 0; at--, rest >>= 8n) bytes[at] = Number(rest & 0xffn)
  bytes[0] = (bytes[0] ?? 0) | (0xff & ~(0xff >> extra))
  return bytes
}
