/** Bytes as texts: in keys and bounds, in what people are shown, and in the JSON of Cassandra. */
import { refusedValue } from './refused.ts'

/** Hexadecimal digits, in lower case, without a prefix. */
export function hexDigits(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}

/**
 * Bytes from their hexadecimal digits, in either case. Node by itself stops at the first character that is no digit, and gives what came before.
 * @returns null for anything but pairs of digits
 */
export function bytesOfHex(digits: string): Buffer | null {
  const bytes = Buffer.from(digits, 'hex')
  return bytes.length * 2 === digits.length ? bytes : null
}

/** `\x` and digits: how bytes stand in keys, in bounds of ranges and in events. */
export function bytesText(bytes: Uint8Array): string {
  return `\\x${hexDigits(bytes)}`
}

/**
 * Bytes of a key or a bound from what `bytesText` or the SQL of a store made of them.
 * @throws SluiceError VALUE_REFUSED for anything else: half of a key would be the key of another row
 */
export function bytesOfText(text: string): Buffer {
  // Older programs wrote a key that is NULL as an empty text.
  const bytes = text === '' ? Buffer.alloc(0) : text.startsWith('\\x') ? bytesOfHex(text.slice(2)) : null
  if (bytes === null) throw refusedValue('bytes', text)
  return bytes
}

/** The digits of a key or a bound, for SQL that makes bytes of them. @throws SluiceError VALUE_REFUSED */
export function digitsOfText(text: string): string {
  return hexDigits(bytesOfText(text))
}

/** A value as events and people get it: bytes as `bytesText`, whatever JSON would round as text. */
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

/** Bytes of what `blobText` made; null for anything else, digits in upper case too: what is proved is the text. */
export function bytesOfBlob(text: string): Buffer | null {
  const bytes = text.startsWith('0x') ? bytesOfHex(text.slice(2)) : null
  return bytes !== null && blobText(bytes) === text ? bytes : null
}
