/** Whole numbers in as few bytes as they need: how durations are stored. */

/** Zigzag, and ones before the first byte's own bits for every byte that follows. */
export function vintBytes(value: bigint): Buffer {
  const zigzag = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n))
  const bits = zigzag.toString(2).length
  // Every byte more has room for seven bits; eight of them leave none for the first.
  const extra = bits > 56 ? 8 : Math.ceil(bits / 7) - 1
  const bytes = Buffer.alloc(extra + 1)
  for (let at = extra, rest = zigzag; at >= 0; at--, rest >>= 8n) bytes[at] = Number(rest & 0xffn)
  bytes[0] = (bytes[0] ?? 0) | (0xff & ~(0xff >> extra))
  return bytes
}
