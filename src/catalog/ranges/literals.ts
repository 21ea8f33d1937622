/**
 * Keys that the bounds of a file must reach to match a literal. Where src/delta/pruning.ts allows for rounding (floats,
 * decimals that went through a double, timestamps cut to milliseconds), the limits are wider, too.
 */
import { compareExact, parseExactNumber, type ExactNumber } from '../../model/run/exact-number.ts'
import type { Comparison, LiteralValue } from '../../model/lake/predicate.ts'
import { parseDouble } from '../../delta/values/partition-values.ts'
import type { Field } from '../../delta/schema.ts'
import { booleanDomain, dateDomain, literalText, timestampDomain } from '../../delta/values/domains.ts'
import { EXACT_INT64 } from '../../delta/values/numbers.ts'
import { DAY_MICROS } from './classes.ts'
import { booleanKey, numberKey, textKey, textKeyBeyond, timeKey } from './keys.ts'
import { hasBeenFloat } from '../../delta/values/typed.ts'

/** A file matches only if its max key is at or above `reach` and its min key at or below `start`; null is no limit. */
export type LiteralReach = { readonly reach: Buffer | null; readonly start: Buffer | null }

const NOTHING: LiteralReach = { reach: null, start: null }
/** Decimals with more digits may have lost digits in a double. */
const SAFE_DIGITS = 15
const CUT_MICROS = 999n

/** Limits for `column op literal`; none if the types do not match. */
export function wantedBy(field: Field, op: Comparison, value: LiteralValue): LiteralReach {
  if (op === '<>') return NOTHING
  const around = keyLimits(field, value)
  const { reach, start } = around
  switch (op) {
    case '=':
      return around
    case '<':
    case '<=':
      return { reach: null, start }
    default:
      // No limits: NaN sorts above all numbers, and many writers leave it out of max.
      return isFloating(field) ? NOTHING : { reach, start: null }
  }
}

/** Limits for `column BETWEEN low AND high`. */
export function wantedBetween(field: Field, low: LiteralValue, high: LiteralValue): LiteralReach {
  return { reach: keyLimits(field, low).reach, start: keyLimits(field, high).start }
}

/** Limits for a LIKE pattern that begins with this text. */
export function wantedByPrefix(prefix: string): LiteralReach {
  return { reach: textKey(prefix, 'down'), start: textKeyBeyond(prefix) }
}

/** Limits for an equal value: all values that may equal this literal have keys from `reach` to `start`. */
function keyLimits(field: Field, value: LiteralValue): LiteralReach {
  const { type } = field
  if (type.kind === 'decimal') return numberLimits(value, type.precision > SAFE_DIGITS)
  if (type.kind !== 'primitive') return NOTHING
  switch (type.name) {
    case 'byte':
    case 'short':
    case 'integer':
    case 'long':
      return numberLimits(value, false)
    case 'float':
    case 'double':
      return doubleLimits(value, hasBeenFloat(field))
    case 'date': {
      const day = dateDomain.literal(value)
      return day === null ? NOTHING : timeLimits(BigInt(day.low) * DAY_MICROS)
    }
    case 'timestamp':
    case 'timestamp_ntz': {
      const time = timestampDomain(type.name === 'timestamp').literal(value)
      return time === null ? NOTHING : timeLimits(time.low)
    }
    case 'boolean': {
      const flag = booleanDomain.literal(value)
      return flag === null ? NOTHING : { reach: booleanKey(flag.low), start: booleanKey(flag.high) }
    }
    case 'string': {
      const text = literalText(value, 'string')
      return text === null ? NOTHING : { reach: textKey(text, 'down'), start: textKey(text, 'up') }
    }
    default:
      return NOTHING
  }
}

function isFloating({ type }: Field): boolean {
  return type.kind === 'primitive' && (type.name === 'float' || type.name === 'double')
}

/** Limits for a number; wider if writers may have rounded the bounds. */
function numberLimits(value: LiteralValue, isWide: boolean): LiteralReach {
  const text = literalText(value, 'number', 'string')
  const number = text === null ? null : parseExactNumber(text)
  if (number === null) return NOTHING
  if (!isWide) return { reach: numberKey(number, 'down'), start: numberKey(number, 'up') }
  const [low, high] = [shifted(number, -1n), shifted(number, 1n)]
  // A bound at a limit of 64 bits may represent any value beyond it, as in src/delta/values/numbers.ts.
  const reach = compareExact(low, EXACT_INT64.most) > 0 ? EXACT_INT64.most : low
  const start = compareExact(high, EXACT_INT64.least) < 0 ? EXACT_INT64.least : high
  return { reach: numberKey(reach, 'down'), start: numberKey(start, 'up') }
}

const SHIFT_DIGITS = 19

/**
 * Moves a number by one part in 2^50 and a little more, because src/delta/values/numbers.ts widens bounds by one in
 * 2^50.
 */
function shifted({ unscaled, scale }: ExactNumber, direction: 1n | -1n): ExactNumber {
  const fine = unscaled * 10n ** BigInt(SHIFT_DIGITS)
  const step = ((fine < 0n ? -fine : fine) >> 50n) + 10n ** BigInt(scale)
  return { unscaled: fine + direction * step, scale: scale + SHIFT_DIGITS }
}

/** Limits for an instant: bounds may have been cut to milliseconds. */
function timeLimits(micros: bigint): LiteralReach {
  return { reach: timeKey(micros - CUT_MICROS), start: timeKey(micros + CUT_MICROS) }
}

/** Limits at the next smaller and the next greater float or double. */
function doubleLimits(value: LiteralValue, isFloat: boolean): LiteralReach {
  const text = literalText(value, 'number', 'string')
  const number = text === null ? null : parseDouble(text)
  if (number === null || !Number.isFinite(number)) return NOTHING
  const bound = (direction: 1 | -1): Buffer | null => {
    const next = isFloat ? nextFloat(number, direction) : nextDouble(number, direction)
    const exact = Number.isFinite(next) ? parseExactNumber(String(next)) : null
    return exact === null ? null : numberKey(exact, direction === 1 ? 'up' : 'down')
  }
  return { reach: bound(-1), start: bound(1) }
}

const view = new DataView(new ArrayBuffer(8))

function nextFloat(value: number, direction: 1 | -1): number {
  view.setFloat32(0, value)
  const float = view.getFloat32(0)
  if (!Number.isFinite(float)) return float
  if (float === 0) return direction * 2 ** -149
  view.setUint32(0, view.getUint32(0) + (float > 0 ? direction : -direction))
  return view.getFloat32(0)
}

function nextDouble(value: number, direction: 1 | -1): number {
  if (value === 0) return direction * Number.MIN_VALUE
  view.setFloat64(0, value)
  view.setBigUint64(0, view.getBigUint64(0) + BigInt(value > 0 ? direction : -direction))
  return view.getFloat64(0)
}
