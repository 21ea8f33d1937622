/** Whole numbers in as few bytes as they need: how durations and lengths within vectors are stored. */

/** Zigzag, then as `uvintBytes`. */
export function vintBytes(value: bigint): Buffer {
  return uvintBytes(BigInt.asUintN(64, (value << 1n) ^ (value >> 63n)))
}

/** Ones before the first byte's own bits for every byte that follows. @param value 0 to 2^64 - 1 */
export function uvintBytes(value: bigint): Buffer {
  const bits = value.toString(2).length
  // Every byte more has room for seven bits; eight of them leave none for the first.
  const extra = bits > 56 ? 8 : Math.ceil(bits / 7) - 1
  const bytes = Buffer.alloc(extra + 1)
  for (let at = extra, rest = value; at >= 0; at--, rest >>= 8n) bytes[at] = Number(rest & 0xffn)
  bytes[0] = (bytes[0] ?? 0) | (0xff & ~(0xff >> extra))
  return bytes
}
