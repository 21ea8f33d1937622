/** Columns that can have ranges, and the keys of their bounds. Bounds mean the same here as in src/delta/pruning.ts. */
import { parseExactNumber, type ExactNumber } from '../../model/run/exact-number.ts'
import type { Field } from '../../delta/schema.ts'
import {
  bareText,
  booleanDomain,
  dateDomain,
  stringDomain,
  timestampDomain,
  type ValueBounds,
} from '../../delta/values/domains.ts'
import { booleanKey, integerKey, numberKey, textKey, textKeyBeyond, timeKey, type Direction } from './keys.ts'

/** How a column's values become keys. All numeric types share one class, so that a widened column keeps its ranges. */
export type RangeClass = 'number' | 'date' | 'timestamp' | 'timestamp_ntz' | 'string' | 'boolean'

/** Keys of the lowest and highest value; null means unbounded. */
export type ClassKeyRange = { readonly low: Buffer | null; readonly high: Buffer | null }

export const DAY_MICROS = 86_400_000_000n

/** Class of a field; null for a type without order or bounds: struct, array, map, binary, variant, collated text. */
export function rangeClassOf({ type, metadata }: Field): RangeClass | null {
  if (type.kind === 'decimal') return 'number'
  if (type.kind !== 'primitive') return null
  switch (type.name) {
    case 'byte':
    case 'short':
    case 'integer':
    case 'long':
    case 'float':
    case 'double':
      return 'number'
    case 'date':
    case 'timestamp':
    case 'timestamp_ntz':
    case 'boolean':
      return type.name
    case 'string':
      return '__COLLATIONS' in metadata ? null : 'string'
    default:
      return null
  }
}

/** True if ranges of one class are valid for a column of another class: a date may have become a timestamp. */
export function answersFor(built: RangeClass, asked: RangeClass | null): boolean {
  return built === asked || (built === 'date' && asked === 'timestamp_ntz')
}

const instants = timestampDomain(true)
const wallClocks = timestampDomain(false)

/** The keys of a file's bounds, from the pieces of its stats' JSON text. */
export function boundKeys(kind: RangeClass, min: string | undefined, max: string | undefined): ClassKeyRange {
  switch (kind) {
    case 'number':
      return { low: numericBound(min, 'down'), high: numericBound(max, 'up') }
    case 'date': {
      const { low, high } = dateDomain.stats(min, max)
      return { low: dayKey(low), high: dayKey(high) }
    }
    case 'timestamp':
      return timeSpan(instants.stats(min, max))
    case 'timestamp_ntz':
      return timeSpan(wallClocks.stats(min, max))
    case 'string': {
      const { low, high } = stringDomain.stats(min, max)
      return {
        low: low === undefined ? null : textKey(low, 'down'),
        high: high === undefined ? null : textKeyBeyond(high),
      }
    }
    case 'boolean': {
      const { low = 0, high = 1 } = booleanDomain.stats(min, max)
      return { low: booleanKey(low), high: booleanKey(high) }
    }
  }
}

/**
 * Key of exactly the number in the text, for every type: `literals.ts` allows for rounding. Null for NaN and
 * infinities.
 */
function numericBound(piece: string | undefined, direction: Direction): Buffer | null {
  if (piece === undefined) return null
  const text = bareText(piece)
  const short = integerKey(text)
  if (short !== null) return short
  const value: ExactNumber | null = parseExactNumber(text)
  return value === null ? null : numberKey(value, direction)
}

function dayKey(days: number | undefined): Buffer | null {
  return days === undefined ? null : timeKey(BigInt(days) * DAY_MICROS)
}

function timeSpan({ low, high }: ValueBounds<bigint>): ClassKeyRange {
  return { low: low === undefined ? null : timeKey(low), high: high === undefined ? null : timeKey(high) }
}
