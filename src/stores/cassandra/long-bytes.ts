/** A whole number of 64 bits as the protocol has it: what every setting of the driver takes. */
export function longBytes(value: bigint): Buffer {
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeBigInt64BE(value)
  return bytes
}
