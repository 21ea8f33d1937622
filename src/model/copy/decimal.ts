/** Decimal numbers as text, exactly. */
import { refusedValue } from './refused.ts'

const DECIMAL = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,6}))?$/
/** A text of an exponent beyond this would be longer than any database takes. */
const MOST_EXPONENT = 200_000
const SPECIAL: ReadonlyMap<string, string> = new Map([
  ['nan', 'NaN'],
  ['infinity', 'Infinity'],
  ['+infinity', 'Infinity'],
  ['inf', 'Infinity'],
  ['+inf', 'Infinity'],
  ['-infinity', '-Infinity'],
  ['-inf', '-Infinity'],
])
/** Most numbers are in their final form already. */
const PLAIN = /^-?(?:0|[1-9]\d*)(?:\.\d*[1-9])?$/

/**
 * A number without exponent, plus sign, leading zeros, trailing zeros behind the point, or a minus before zero.
 * @throws SluiceError VALUE_REFUSED where the text is no number
 */
export function canonicalDecimal(text: string): string {
  if (PLAIN.test(text)) return text === '-0' ? '0' : text
  const found = DECIMAL.exec(text)
  if (found === null || (found[2] === '' && (found[3] ?? '') === '')) {
    const special = SPECIAL.get(text.toLowerCase())
    if (special !== undefined) return special
    throw refusedValue('a number', text)
  }
  const [, sign = '', whole = '', fraction = '', exponentText = '0'] = found
  const exponent = Number(exponentText)
  if (Math.abs(exponent) > MOST_EXPONENT) {
    throw refusedValue('a number with an exponent that any database takes', text)
  }
  let digits = whole + fraction
  let point = whole.length + exponent
  if (point <= 0) {
    digits = '0'.repeat(1 - point) + digits
    point = 1
  }
  if (point > digits.length) digits += '0'.repeat(point - digits.length)
  const integer = digits.slice(0, point).replace(/^0+(?=\d)/, '')
  const decimals = digits.slice(point).replace(/0+$/, '')
  if (integer === '0' && decimals === '') return '0'
  return `${sign === '-' ? '-' : ''}${integer}${decimals === '' ? '' : `.${decimals}`}`
}

/** So many digits of any decimal come back out of a double (DBL_DIG of IEEE 754), as long as it is no subnormal one. */
const DOUBLE_DIGITS = 15
const DOUBLE_SCALE = 307
const DOUBLE_WHOLE = 308

/**
 * Whether a double keeps every decimal of such a type: the shortest text that reads as that double is the decimal itself.
 * @param precision digits in all @param scale digits behind the point; below zero where the last ones before it are always 0
 */
export function fitsDouble(precision: number | undefined, scale = 0): boolean {
  if (precision === undefined || precision > DOUBLE_DIGITS) return false
  return scale <= DOUBLE_SCALE && precision - scale <= DOUBLE_WHOLE
}

/**
 * The number with at most so many digits behind the point, rounded half away from zero as databases do.
 * @param canonical as `canonicalDecimal` gives it
 */
export function roundedDecimal(canonical: string, digits: number): string {
  const [whole = '0', decimals = ''] = canonical.replace('-', '').split('.')
  if (decimals.length <= digits || !/^\d/.test(whole)) return canonical
  const kept = BigInt(whole + decimals.slice(0, digits)) + ((decimals[digits] ?? '0') >= '5' ? 1n : 0n)
  const text = kept.toString().padStart(digits + 1, '0')
  const point = text.length - digits
  return canonicalDecimal(`${canonical.startsWith('-') ? '-' : ''}${text.slice(0, point)}.${text.slice(point)}`)
}
