/** Values in the bytes of a collection, a tuple or a user-defined type (native protocol, version 3 and up). */

/** Splits bytes from `start` on into values, each of which has a length prefix; null for a null value. */
export function lengthPrefixed(start: number): (bytes: Buffer) => readonly (Buffer | null)[] {
  return (bytes) => {
    const all: (Buffer | null)[] = []
    for (let at = start; at < bytes.length;) {
      const length = bytes.readInt32BE(at)
      at += 4
      all.push(length < 0 ? null : bytes.subarray(at, at + length))
      at += Math.max(length, 0)
    }
    return all
  }
}
