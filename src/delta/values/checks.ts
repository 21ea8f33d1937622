/** Decides whether a file's bounds allow a value that meets a condition: false only if no value can. */
import type { Comparison, LiteralValue } from '../../model/lake/predicate.ts'
import { floatDomain, numericDomain } from './numbers.ts'
import type { PartitionValue } from './partition-values.ts'
import type { Field } from '../schema.ts'
import { binaryDomain, booleanDomain, collatedDomain, dateDomain, stringDomain, timestampDomain } from './domains.ts'
import type { Domain, LiteralPoint, ValueBounds } from './domains.ts'
import { hasBeenFloat } from './typed.ts'

/** One condition on the values of one column. The caller handles nulls. */
export type ValueCheck = {
  /** True if this partition value meets the condition, or may meet it. Never called with `any` or `null`. */
  partition(value: PartitionValue): boolean
  /** True if a value within the bounds may meet the condition. At least one of the two bounds is present. */
  stats(min: string | undefined, max: string | undefined): boolean
}

/** Conditions for one column's type; null if the type cannot be compared with the literal. */
export type ColumnChecks = {
  compare(op: Comparison, value: LiteralValue): ValueCheck | null
  between(low: LiteralValue, high: LiteralValue): ValueCheck | null
}

/** True if the bounds allow a value at or above `value`. */
function mayReach<V>(domain: Domain<V>, span: ValueBounds<V>, value: V): boolean {
  if (span.high === undefined || domain.compare(span.high, value) >= 0) return true
  return span.beyond === 'prefix' && domain.startsWith?.(value, span.high) === true
}

function isWithin<V>(domain: Domain<V>, span: ValueBounds<V>, from: V, to: V): boolean {
  return (span.low === undefined || domain.compare(span.low, to) <= 0) && mayReach(domain, span, from)
}

/** True if the bounds allow only the value of the literal. */
function isOnlyValue<V>(domain: Domain<V>, span: ValueBounds<V>, point: LiteralPoint<V>): boolean {
  if (span.low === undefined || span.high === undefined || span.beyond !== undefined) return false
  if (domain.compare(point.low, point.high) !== 0) return false
  return domain.compare(span.low, point.low) === 0 && domain.compare(span.high, point.low) === 0
}

function mayCompare<V>(domain: Domain<V>, op: Comparison, span: ValueBounds<V>, point: LiteralPoint<V>): boolean {
  switch (op) {
    case '=':
      return isWithin(domain, span, point.low, point.high)
    case '<>':
      return !isOnlyValue(domain, span, point)
    case '<':
      return span.low === undefined || domain.compare(span.low, point.high) < 0
    case '<=':
      return span.low === undefined || domain.compare(span.low, point.high) <= 0
    case '>': {
      if (span.beyond === 'nan' || span.high === undefined) return true
      if (domain.compare(span.high, point.low) > 0) return true
      return span.beyond === 'prefix' && domain.startsWith?.(point.low, span.high) === true
    }
    default:
      return span.beyond === 'nan' || mayReach(domain, span, point.low)
  }
}

function checksOver<V>(domain: Domain<V>): ColumnChecks {
  const check = (may: (span: ValueBounds<V>) => boolean): ValueCheck => ({
    partition(value) {
      const span = domain.partition(value)
      return span === null || may(span)
    },
    stats: (min, max) => may(domain.stats(min, max)),
  })
  return {
    compare(op, value) {
      const point = domain.literal(value)
      return point && check((span) => mayCompare(domain, op, span, point))
    },
    between(low, high) {
      const from = domain.literal(low)
      const to = domain.literal(high)
      if (!from || !to) return null
      const isEmpty = domain.compare(from.low, to.high) > 0
      return check((span) => !isEmpty && isWithin(domain, span, from.low, to.high))
    },
  }
}

/** Digits of a decimal that survive a conversion to double. */
const SAFE_DIGITS = 15

/**
 * Conditions for a column.
 * @param decimals `exact` uses decimal bounds to the last digit, as other readers do, even if a writer rounded them to
 * a double
 * @returns `'never'` for types without an order (structs, arrays, maps, variants), `'any'` for unknown types
 */
export function columnChecks(field: Field, decimals: 'rounded' | 'exact' = 'rounded'): ColumnChecks | 'never' | 'any' {
  const { type } = field
  if (type.kind === 'unknown') return 'any'
  if (type.kind === 'decimal') {
    return checksOver(numericDomain(decimals === 'rounded' && type.precision > SAFE_DIGITS))
  }
  if (type.kind !== 'primitive') return 'never'
  switch (type.name) {
    case 'byte':
    case 'short':
    case 'integer':
    case 'long':
      return checksOver(numericDomain(false))
    case 'float':
    case 'double':
      return checksOver(floatDomain(hasBeenFloat(field)))
    case 'string':
      return checksOver('__COLLATIONS' in field.metadata ? collatedDomain : stringDomain)
    case 'boolean':
      return checksOver(booleanDomain)
    case 'date':
      return checksOver(dateDomain)
    case 'timestamp':
      return checksOver(timestampDomain(true))
    case 'timestamp_ntz':
      return checksOver(timestampDomain(false))
    case 'binary':
      return checksOver(binaryDomain)
    case 'variant':
      return 'never'
    default:
      return 'any'
  }
}

type LikePattern = {
  /** Text before the first wildcard. */
  readonly prefix: string
  /** True if the pattern is only the prefix and `%`. */
  readonly isPrefixOnly: boolean
  readonly whole: RegExp
}

function parseLike(pattern: string): LikePattern {
  let prefix = ''
  let source = ''
  let wildcards = ''
  for (let i = 0; i < pattern.length; i++) {
    let char = pattern.charAt(i)
    if (char === '%' || char === '_') {
      wildcards += char
      source += char === '%' ? '.*' : '.'
      continue
    }
    // A backslash at the end escapes nothing and is a plain character.
    if (char === '\\' && i + 1 < pattern.length) char = pattern.charAt(++i)
    if (wildcards === '') prefix += char
    else wildcards += 'x'
    source += char.replace(/[\\^$.*+?()[\]{}|/]/, '\\$&')
  }
  return { prefix, isPrefixOnly: wildcards === '%', whole: new RegExp(`^${source}$`, 'su') }
}

/** Case-sensitive `LIKE` on a text column. */
export function likeCheck(pattern: string, negated: boolean, isCollated: boolean): ValueCheck {
  const { prefix, isPrefixOnly, whole } = parseLike(pattern)
  return {
    partition: (value) => isCollated || value.kind !== 'string' || whole.test(value.value) !== negated,
    stats(min, max) {
      if (isCollated) return true
      const span = stringDomain.stats(min, max)
      if (negated) {
        // All values have the prefix only if both bounds have it.
        const hasPrefix = (bound: string | undefined) => bound !== undefined && bound.startsWith(prefix)
        return !(isPrefixOnly && hasPrefix(span.low) && hasPrefix(span.high))
      }
      const isAbove =
        span.low !== undefined && stringDomain.compare(span.low, prefix) > 0 && !span.low.startsWith(prefix)
      return !isAbove && mayReach(stringDomain, span, prefix)
    },
  }
}
