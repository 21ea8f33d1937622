/** Order and bounds of the numeric types. */
import { INT64 } from '../../shared/int64.ts'
import { compareExact, parseExactNumber, type ExactNumber } from '../../model/run/exact-number.ts'
import { parseDouble } from './partition-values.ts'
import { bareText, compareOrdered, point, literalText, type Domain, type LiteralPoint } from './domains.ts'

/** A safe integer if possible, otherwise an exact number. */
type Numeric = number | ExactNumber

const SHORT_INTEGER = /^-?\d{1,15}$/

function parseNumeric(text: string): Numeric | null {
  return SHORT_INTEGER.test(text) ? Number(text) : parseExactNumber(text)
}

function exact(value: Numeric): ExactNumber {
  return typeof value === 'number' ? { unscaled: BigInt(value), scale: 0 } : value
}

function compareNumeric(a: Numeric, b: Numeric): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  return compareExact(exact(a), exact(b))
}

/** The limits of 64 bits, as exact numbers. */
export const EXACT_INT64: Readonly<Record<'least' | 'most', ExactNumber>> = {
  least: { unscaled: INT64.least, scale: 0 },
  most: { unscaled: INT64.most, scale: 0 },
}

const LONGEST_DOUBLE = 17
const GUARD_DIGITS = 20

/**
 * delta-rs writes decimal stats through a double. Up to 15 digits survive; bounds of wider types can be wrong by 1.4
 * units in the last place of a double. So bounds are widened by at least four units.
 */
function widened(value: Numeric, direction: 1n | -1n): Numeric {
  const { unscaled, scale } = exact(value)
  const magnitude = unscaled < 0n ? -unscaled : unscaled
  if (magnitude.toString().replace(/0+$/, '').length > LONGEST_DOUBLE) return value
  const fine = unscaled * 10n ** BigInt(GUARD_DIGITS)
  const step = ((fine < 0n ? -fine : fine) >> 50n) + 1n
  return { unscaled: fine + direction * step, scale: scale + GUARD_DIGITS }
}

export function numericDomain(isWideDecimal: boolean): Domain<Numeric> {
  const bound = (piece: string | undefined, direction: 1n | -1n): Numeric | undefined => {
    const value = piece === undefined ? null : parseNumeric(bareText(piece))
    if (value === null) return undefined
    if (!isWideDecimal) return value
    // delta-rs writes whole decimals as 64 bits: a greater value becomes the limit.
    const isClamped = compareNumeric(value, direction === 1n ? EXACT_INT64.most : EXACT_INT64.least) === 0
    return isClamped ? undefined : widened(value, direction)
  }
  return {
    compare: compareNumeric,
    literal(value) {
      const text = literalText(value, 'number', 'string')
      return text === null ? null : point(parseNumeric(text))
    },
    partition: (value) => (value.kind === 'exact' ? { low: value.value, high: value.value } : null),
    stats: (min, max) => ({ low: bound(min, -1n), high: bound(max, 1n) }),
  }
}

/**
 * Float and double. NaN sorts above everything, as in Spark, and many writers leave it out of max. `isFloat`: the
 * column is float, or was float before a widening. Then 0.1 may mean the nearest float or the nearest double.
 */
export function floatDomain(isFloat: boolean): Domain<number> {
  const around = (value: number): LiteralPoint<number> => {
    const rounded = isFloat ? Math.fround(value) : value
    return { low: Math.min(value, rounded), high: Math.max(value, rounded) }
  }
  const parse = (piece: string | undefined): LiteralPoint<number> | null => {
    const value = piece === undefined ? null : parseDouble(bareText(piece))
    return value === null || Number.isNaN(value) ? null : around(value)
  }
  return {
    compare: compareOrdered,
    literal(value) {
      const text = literalText(value, 'number', 'string')
      const number = text === null ? null : parseDouble(text)
      return number === null || Number.isNaN(number) ? null : around(number)
    },
    partition(value) {
      if (value.kind !== 'float' || Number.isNaN(value.value)) return null
      return around(value.value)
    },
    stats: (min, max) => ({ low: parse(min)?.low, high: parse(max)?.high, beyond: 'nan' }),
  }
}
