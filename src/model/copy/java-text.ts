/** Numbers as Java writes and reads them: `Double.toString`, `BigDecimal.toString`, `Integer.parseInt` and similar. */
import { refusedValue } from './refused.ts'

/** `Double.toString` of JDK 19 and later: the shortest digits that give the same number, `1.0`, `1.0E10`, `NaN`. */
export function javaDouble(value: number): string {
  if (!Number.isFinite(value)) return String(value)
  const size = Math.abs(value)
  const sign = value < 0 || Object.is(value, -0) ? '-' : ''
  if (size === 0) return `${sign}0.0`
  const shortest = size.toExponential()
  // Java writes at least two digits: if one would be enough, it writes the two digits that are nearest to the value.
  const two = size.toExponential(1)
  const [mantissa = '', exponent = '0'] = (!shortest.includes('.') && Number(two) === size ? two : shortest).split('e')
  if (size >= 1e7 || size < 1e-3) {
    return `${sign}${mantissa.includes('.') ? mantissa : `${mantissa}.0`}E${Number(exponent)}`
  }
  const plain = String(size)
  return `${sign}${plain.includes('.') ? plain : `${plain}.0`}`
}

const DOUBLE = /^[\s]*[+-]?(?:NaN|Infinity|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[dDfF]?)[\s]*$/

/** `Double.parseDouble`, except its hexadecimal form. @throws SluiceError VALUE_REFUSED */
export function parseJavaDouble(text: string): number {
  if (!DOUBLE.test(text)) throw refusedValue('a double', text)
  return Number(text.trim().replace(/(?<=\d\.?)[dDfF]$/, ''))
}

/** `Integer.parseInt` and `Long.parseLong`; the result has no leading zeros. @throws SluiceError VALUE_REFUSED */
export function parseJavaWhole(text: string, bits: 32 | 64): string {
  if (/^[+-]?\d{1,40}$/.test(text)) {
    const value = BigInt(text.replace('+', ''))
    if (BigInt.asIntN(bits, value) === value) return value.toString()
  }
  throw refusedValue(bits === 32 ? 'an int' : 'a bigint', text)
}

const DECIMAL = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,10}))?$/

type Decimal = { readonly unscaled: bigint; readonly scale: number }

/**
 * `BigDecimal.toString`, which shows digits and scale: `1.50`, `1.2E+4`, `1E-7`.
 * @param text a number with all of its digits, which also determine the scale
 * @throws SluiceError VALUE_REFUSED
 */
export function javaDecimal(text: string): string {
  const { unscaled, scale } = decimalOf(text)
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString()
  const sign = unscaled < 0n ? '-' : ''
  if (scale === 0) return `${sign}${digits}`
  const adjusted = digits.length - 1 - scale
  if (scale > 0 && adjusted >= -6) {
    const padded = digits.padStart(scale + 1, '0')
    return `${sign}${padded.slice(0, -scale)}.${padded.slice(-scale)}`
  }
  const mantissa = digits.length === 1 ? digits : `${digits.slice(0, 1)}.${digits.slice(1)}`
  return `${sign}${mantissa}${adjusted === 0 ? '' : `E${adjusted > 0 ? '+' : ''}${adjusted}`}`
}

/**
 * `new BigDecimal(text)` in Cassandra's spelling, which keeps the scale: `1.50`, `12e3`.
 * @throws SluiceError VALUE_REFUSED
 */
export function parseJavaDecimal(text: string): string {
  const { unscaled, scale } = decimalOf(text)
  if (scale === 0) return unscaled.toString()
  if (scale < 0 || scale > 200) return `${unscaled}e${-scale}`
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0')
  return `${unscaled < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}

function decimalOf(text: string): Decimal {
  const found = DECIMAL.exec(text)
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = found ?? []
  const scale = fraction.length - Number(exponent)
  if (found === null || whole + fraction === '' || Math.abs(scale) > 0x7fff_ffff) throw refusedValue('a decimal', text)
  return { unscaled: BigInt(whole + fraction) * (sign === '-' ? -1n : 1n), scale }
}
