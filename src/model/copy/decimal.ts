/** Exact decimal numbers as text. */
import { refusedValue } from './refused.ts'

const DECIMAL = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,6}))?$/
/** Larger exponents would give a text longer than any database accepts. */
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
/** Fast path: most numbers are canonical already. */
const PLAIN = /^-?(?:0|[1-9]\d*)(?:\.\d*[1-9])?$/

/**
 * The number without exponent, plus sign, leading zeros, and trailing zeros of the fraction; minus zero becomes 0.
 * @throws SluiceError VALUE_REFUSED if the text is not a number
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
    throw refusedValue(`a number with an exponent from -${MOST_EXPONENT} to ${MOST_EXPONENT}`, text)
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

/** A double preserves this many digits of any decimal (DBL_DIG of IEEE 754), unless it is subnormal. */
const DOUBLE_DIGITS = 15
const DOUBLE_SCALE = 307
const DOUBLE_WHOLE = 308

/**
 * True if a double preserves every decimal of the type: the shortest text of the double is the decimal itself.
 * @param precision number of all digits
 * @param scale number of digits after the point; negative if the last digits before it are always 0
 */
export function fitsDouble(precision: number | undefined, scale = 0): boolean {
  if (precision === undefined || precision > DOUBLE_DIGITS) return false
  return scale <= DOUBLE_SCALE && precision - scale <= DOUBLE_WHOLE
}

/**
 * The number rounded to at most `digits` decimal places, half away from zero as databases do.
 * @param canonical from `canonicalDecimal`
 */
export function roundedDecimal(canonical: string, digits: number): string {
  const [whole = '0', decimals = ''] = canonical.replace('-', '').split('.')
  if (decimals.length <= digits || !/^\d/.test(whole)) return canonical
  const kept = BigInt(whole + decimals.slice(0, digits)) + ((decimals[digits] ?? '0') >= '5' ? 1n : 0n)
  const text = kept.toString().padStart(digits + 1, '0')
  const point = text.length - digits
  return canonicalDecimal(`${canonical.startsWith('-') ? '-' : ''}${text.slice(0, point)}.${text.slice(point)}`)
}
