/**
 * Encodes values as bytes with the same order under memcmp, as in all four databases. A truncated key is a wider bound.
 */
import type { ExactNumber } from '../../model/run/exact-number.ts'
import { isWellFormed } from '../../shared/well-formed.ts'

/** Direction in which an inexact bound may move. */
export type Direction = 'down' | 'up'

const MOST_DIGITS = 40
const MOST_TEXT_BYTES = 64
const FARTHEST_EXPONENT = 2_000
/** Exponents that take one byte; enough for most columns. */
const SHORT_LEAST = -40
const SHORT_MOST = 60
const SHORT_BASE = 0x90
const LONG_BELOW = 0x8f
const LONG_ABOVE = SHORT_BASE + SHORT_MOST - SHORT_LEAST + 1
const ZERO = Buffer.from([0x80])
/** Sorts after every digit and every byte of UTF-8. */
const BEYOND = 0xff
const PLAIN_INTEGER = /^-?\d{1,15}$/

/**
 * One encoding for all numeric types: `0.d1d2… × 10^e` becomes a byte of sign and exponent, then two digits per byte.
 * Below zero all bits are inverted. Null for numbers further from zero, or nearer to it, than any type allows.
 */
export function numberKey({ unscaled, scale }: ExactNumber, direction: Direction): Buffer | null {
  if (unscaled === 0n) return ZERO
  const isNegative = unscaled < 0n
  return keyOfDigits((isNegative ? -unscaled : unscaled).toString(), scale, isNegative, direction)
}

/** As `numberKey`, but faster, for the text of a whole number of at most 15 digits. Null for other texts. */
export function integerKey(text: string): Buffer | null {
  if (!PLAIN_INTEGER.test(text)) return null
  const isNegative = text.startsWith('-')
  const digits = text.slice(isNegative ? 1 : 0).replace(/^0+/, '')
  return digits === '' ? ZERO : keyOfDigits(digits, 0, isNegative, 'down')
}

function keyOfDigits(digits: string, scale: number, isNegative: boolean, direction: Direction): Buffer | null {
  const exponent = digits.length - scale
  if (Math.abs(exponent) > FARTHEST_EXPONENT) return null
  let end = digits.length
  while (digits.charCodeAt(end - 1) === 0x30) end--
  const isCut = end > MOST_DIGITS
  if (isCut) end = MOST_DIGITS
  const bytes: number[] = []
  if (exponent >= SHORT_LEAST && exponent <= SHORT_MOST) bytes.push(SHORT_BASE + exponent - SHORT_LEAST)
  else bytes.push(exponent < 0 ? LONG_BELOW : LONG_ABOVE, ...twoBytes(exponent + FARTHEST_EXPONENT))
  for (let at = 0; at < end; at += 2) {
    const low = at + 1 < end ? digits.charCodeAt(at + 1) - 0x30 : 0
    bytes.push((digits.charCodeAt(at) - 0x30) * 10 + low + 1)
  }
  const growsAway = (direction === 'up') !== isNegative
  if (isCut && growsAway) bytes.push(BEYOND)
  // Of two magnitudes with the same beginning the longer is greater, so among negative numbers it must sort first.
  return Buffer.from(isNegative ? [...bytes.map((byte) => 0xff - byte), BEYOND] : bytes)
}

function twoBytes(value: number): [number, number] {
  return [value >> 8, value & 0xff]
}

/** Microseconds since the epoch; a date is encoded as its midnight. Null beyond 64 bits. */
export function timeKey(micros: bigint): Buffer | null {
  if (micros < -(2n ** 63n) || micros >= 2n ** 63n) return null
  const key = Buffer.alloc(8)
  key.writeBigUInt64BE(micros + 2n ** 63n)
  return key
}

/** UTF-8, which sorts by code points. Null for text with a lone surrogate, whose bytes would sort differently. */
export function textKey(text: string, direction: Direction): Buffer | null {
  if (!isWellFormed(text)) return null
  const bytes = Buffer.from(text)
  if (bytes.length <= MOST_TEXT_BYTES) return bytes
  const head = bytes.subarray(0, MOST_TEXT_BYTES)
  return direction === 'down' ? Buffer.from(head) : Buffer.concat([head, Buffer.from([BEYOND])])
}

/** A key above every text that starts with `start`. */
export function textKeyBeyond(start: string): Buffer | null {
  const key = textKey(start, 'up')
  if (key === null || key.at(-1) === BEYOND) return key
  return Buffer.concat([key, Buffer.from([BEYOND])])
}

export function booleanKey(value: number): Buffer {
  return Buffer.from([value])
}
