/** Z85 (ZeroMQ RFC 32): five characters hold four bytes. Deletion vectors carry their file's UUID and their inline data so. */

const ALPHABET = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#'
const DIGITS = new Int8Array(128).fill(-1)
for (let i = 0; i < ALPHABET.length; i++) DIGITS[ALPHABET.charCodeAt(i)] = i

function digitsValue(text: string, from: number, to: number): number {
  let value = 0
  for (let i = from; i < to; i++) {
    const digit = DIGITS[text.charCodeAt(i)] ?? -1
    if (digit < 0) throw new RangeError(`character ${i + 1} of the Z85 text is outside its alphabet`)
    value = value * 85 + digit
  }
  return value
}

/**
 * Bytes missing in the last group. The RFC has no answer for a rest of one to three bytes; the Rust crate `z85`, and with it tables of
 * delta-kernel-rs, put as many '#' in front of the group, which no complete group can begin with.
 */
function missingBytes(text: string): number {
  const last = text.slice(-5)
  return last.startsWith('###') ? 3 : last.startsWith('##') ? 2 : last.startsWith('#') ? 1 : 0
}

/** @throws RangeError for a length that is no multiple of five, a character outside the alphabet, or a group that is too large */
export function decodeZ85(text: string): Buffer {
  if (text.length % 5 !== 0) throw new RangeError(`Z85 text has ${text.length} characters, which is no multiple of 5`)
  const missing = missingBytes(text)
  const bytes = Buffer.alloc((text.length / 5) * 4 - missing)
  for (let at = 0; at * 4 < bytes.length; at++) {
    const from = at * 5
    const width = Math.min(4, bytes.length - at * 4)
    const value = digitsValue(text, from + 4 - width, from + 5)
    if (value >= 256 ** width) throw new RangeError(`characters from ${from + 1} on are no Z85 group`)
    bytes.writeUIntBE(value, at * 4, width)
  }
  return bytes
}

/** The UUID in 20 characters of Z85, in its usual spelling. @throws RangeError */
export function decodeZ85Uuid(text: string): string {
  const hex = decodeZ85(text).toString('hex')
  if (hex.length !== 32) throw new RangeError(`a UUID has 20 characters of Z85, not ${text.length}`)
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}
