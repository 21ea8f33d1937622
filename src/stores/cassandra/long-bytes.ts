/** A 64-bit integer in the form of the protocol, which the driver accepts with any of its settings. */
export function longBytes(value: bigint): Buffer {
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeBigInt64BE(value)
  return bytes
}
