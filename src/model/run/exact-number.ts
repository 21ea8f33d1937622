/** Exact decimal numbers, compared without rounding: `unscaled` / 10^`scale`. */

export type ExactNumber = { readonly unscaled: bigint; readonly scale: number }

const NUMBER = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,6}))?$/
/** No type of a lake exceeds this (a double ends at 1e308); a larger exponent would only cost memory. */
const MAX_EXPONENT = 400
/** A double printed in full has at most 1,075 places; parsing longer texts takes quadratic time. */
const MAX_DIGITS = 2000

/** Parses `-12`, `1.50`, `.5`, `6.02e23`. Null for other texts, exponents beyond ±400, and over 2,000 characters. */
export function parseExactNumber(text: string): ExactNumber | null {
  if (text.length > MAX_DIGITS) return null
  const match = NUMBER.exec(text)
  if (!match) return null
  const [, sign, whole = '', fraction = '', exponentText] = match
  if (whole === '' && fraction === '') return null
  const exponent = exponentText === undefined ? 0 : Number(exponentText)
  if (Math.abs(exponent) > MAX_EXPONENT) return null
  const magnitude = BigInt(whole + fraction)
  const unscaled = sign === '-' ? -magnitude : magnitude
  const scale = fraction.length - exponent
  return scale >= 0 ? { unscaled, scale } : { unscaled: unscaled * 10n ** BigInt(-scale), scale: 0 }
}

/** Negative, zero or positive if `a` is below, equal to or above `b`. */
export function compareExact(a: ExactNumber, b: ExactNumber): number {
  let left = a.unscaled
  let right = b.unscaled
  if (a.scale < b.scale) left *= 10n ** BigInt(b.scale - a.scale)
  else if (b.scale < a.scale) right *= 10n ** BigInt(a.scale - b.scale)
  return left < right ? -1 : left > right ? 1 : 0
}
