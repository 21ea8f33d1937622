/** Untyped values as SQL literals: `7` is a whole number, `7.0` a floating point one, `'7'` a text, `x'37'` bytes. */
import { hexDigits } from '../../../model/copy/bytes-text.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { doubleText } from '../../../model/copy/canonical.ts'

export type StoredValue = string | number | bigint | Uint8Array

/** The value as a literal; `valueOfLiteral` reads it. */
export function literalOf(value: StoredValue): string {
  if (typeof value === 'bigint') return value.toString()
  if (typeof value === 'string') return `'${value.replaceAll("'", "''")}'`
  if (typeof value === 'object') return `x'${hexDigits(value)}'`
  if (!Number.isFinite(value)) return value > 0 ? '9e999' : '-9e999'
  const text = doubleText(value)
  return /[.e]/.test(text) ? text : `${text}.0`
}

/** @throws SluiceError ROW_REFUSED if the text is not a literal */
export function valueOfLiteral(text: string): StoredValue {
  if (/^-?\d{1,19}$/.test(text)) return BigInt(text)
  if (/^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/.test(text)) return Number(text)
  const quoted = /^'((?:[^']|'')*)'$/s.exec(text)
  if (quoted?.[1] !== undefined) return quoted[1].replaceAll("''", "'")
  const hex = /^x'((?:[0-9a-f]{2})*)'$/.exec(text)
  if (hex?.[1] !== undefined) return Buffer.from(hex[1], 'hex')
  throw new SluiceError('ROW_REFUSED', `this is not a literal of SQLite: ${text.slice(0, 60)}`)
}

/** Text of a floating point number as SQLite converts it to a number: it reads no word for infinity. */
export function floatKeyText(text: string): string {
  const sign = /^(-?)Inf(?:inity)?$/.exec(text)?.[1]
  return sign === undefined ? text : `${sign}9e999`
}
