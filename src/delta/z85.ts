/** Z85 (ZeroMQ RFC 32): five characters encode four bytes. Used for a deletion vector's file UUID and inline data. */

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
 * Number of bytes missing in the last group. The RFC does not define how to encode a last group of one to three bytes.
 * The Rust crate `z85`, and so delta-kernel-rs, writes one '#' per missing byte before the group. A complete group
 * cannot begin with '#'.
 */
function missingBytes(text: string): number {
  const last = text.slice(-5)
  return last.startsWith('###') ? 3 : last.startsWith('##') ? 2 : last.startsWith('#') ? 1 : 0
}

/** @throws RangeError for a length not divisible by five, an unknown character, or a too large group */
export function decodeZ85(text: string): Buffer {
  if (text.length % 5 !== 0)
    throw new RangeError(`Z85 text has ${text.length} characters, which is not a multiple of 5`)
  const missing = missingBytes(text)
  const bytes = Buffer.alloc((text.length / 5) * 4 - missing)
  for (let at = 0; at * 4 < bytes.length; at++) {
    const from = at * 5
    const width = Math.min(4, bytes.length - at * 4)
    const value = digitsValue(text, from + 4 - width, from + 5)
    if (value >= 256 ** width) throw new RangeError(`characters from ${from + 1} on are not a Z85 group`)
    bytes.writeUIntBE(value, at * 4, width)
  }
  return bytes
}

/** Decodes a UUID from 20 characters of Z85, in its usual spelling. @throws RangeError */
export function decodeZ85Uuid(text: string): string {
  const hex = decodeZ85(text).toString('hex')
  if (hex.length !== 32) throw new RangeError(`a UUID has 20 characters of Z85, not ${text.length}`)
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}
