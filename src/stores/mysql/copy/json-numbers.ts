/** Numbers inside JSON: MySQL keeps whole ones of 64 bits, and others as floating point numbers. */
import { canonicalDecimal } from '../../../model/copy/decimal.ts'
import { jsonTokens } from '../../../model/lake/json-tokens.ts'

const LEAST = -(2n ** 63n)
const MOST = 2n ** 64n - 1n

/** Whether MySQL keeps every number of a JSON text as it is. */
export function isDoubleExact(json: string): boolean {
  for (const token of jsonTokens(json)) {
    // Fifteen digits are safe in any floating point number.
    if (!/^[-\d]/.test(token) || (token.length <= 15 && !/e/i.test(token))) continue
    const exact = canonicalDecimal(token)
    if (/^-?\d+$/.test(exact)) {
      const whole = BigInt(exact)
      if (whole >= LEAST && whole <= MOST) continue
    }
    const double = Number(token)
    if (!Number.isFinite(double) || canonicalDecimal(String(double)) !== exact) return false
  }
  return true
}
