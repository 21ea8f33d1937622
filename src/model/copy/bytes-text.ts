/** Bytes as text: in keys and bounds, in output for users, and in the JSON of Cassandra. */
import { refusedValue } from './refused.ts'

/** Hexadecimal digits, in lower case, without a prefix. */
export function hexDigits(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}

/**
 * Decodes hexadecimal digits in either case. Node itself would stop at the first invalid character and return a part.
 * @returns null if the text is not pairs of digits
 */
export function bytesOfHex(digits: string): Buffer | null {
  const bytes = Buffer.from(digits, 'hex')
  return bytes.length * 2 === digits.length ? bytes : null
}

/** `\x` and digits: the form of bytes in keys, in bounds of ranges and in events. */
export function bytesText(bytes: Uint8Array): string {
  return `\\x${hexDigits(bytes)}`
}

/**
 * Decodes bytes of a key or a bound, written by `bytesText` or by the SQL of a store.
 * @throws SluiceError VALUE_REFUSED for any other text: its valid part could be the key of another row
 */
export function bytesOfText(text: string): Buffer {
  // Older programs wrote NULL in a key as an empty text.
  const bytes = text === '' ? Buffer.alloc(0) : text.startsWith('\\x') ? bytesOfHex(text.slice(2)) : null
  if (bytes === null) throw refusedValue('bytes', text)
  return bytes
}

/** The digits of a key or a bound, for SQL that decodes them. @throws SluiceError VALUE_REFUSED */
export function digitsOfText(text: string): string {
  return hexDigits(bytesOfText(text))
}

/** A value for events and users: bytes as `bytesText`, numbers as text because JSON would round them. */
export function shownValue(value: Uint8Array | string | number | bigint): string
export function shownValue(value: Uint8Array | string | number | bigint | null): string | null
export function shownValue(value: Uint8Array | string | number | bigint | null): string | null {
  if (value === null) return null
  return typeof value === 'object' ? bytesText(value) : String(value)
}

/** `0x` and digits: a blob as CQL and the JSON of Cassandra write it. */
export function blobText(bytes: Uint8Array): string {
  return `0x${hexDigits(bytes)}`
}

/** Decodes a `blobText`; null for anything else, also for upper-case digits, because the proof compares the text. */
export function bytesOfBlob(text: string): Buffer | null {
  const bytes = text.startsWith('0x') ? bytesOfHex(text.slice(2)) : null
  return bytes !== null && blobText(bytes) === text ? bytes : null
}
