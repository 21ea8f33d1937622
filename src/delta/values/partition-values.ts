/** Partition values (PROTOCOL.md, "Partition Value Serialization"): text in the log, values of the column's type to compare. */
import { parseExactNumber } from '../../model/run/exact-number.ts'
import type { ExactNumber } from '../../model/run/exact-number.ts'
import { parseDate, parseTimestamp } from '../../model/lake/instant.ts'
import type { DeltaType } from '../schema.ts'

export type PartitionValue =
  | { readonly kind: 'null' }
  | { readonly kind: 'exact'; readonly value: ExactNumber }
  /** Float and double; may be NaN or infinite. */
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'boolean'; readonly value: boolean }
  /** Days since 1970-01-01. */
  | { readonly kind: 'date'; readonly days: number }
  /** Microseconds since the epoch; two bounds where the text does not say which zone it means. */
  | { readonly kind: 'timestamp'; readonly low: bigint; readonly high: bigint }
  | { readonly kind: 'binary'; readonly bytes: Buffer }
  /** Text that its type cannot explain, or a type that has no order: it may be any value. */
  | { readonly kind: 'any' }

/** No place on earth has ever been further from UTC than this (Manila before 1845: 15:56). */
const ZONE_REACH = 16n * 3_600_000_000n
const DOUBLE = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/
const NULL_VALUE: PartitionValue = { kind: 'null' }
const ANY: PartitionValue = { kind: 'any' }

function timestamp(text: string, isInstant: boolean): PartitionValue {
  const parsed = parseTimestamp(text)
  if (!parsed) return ANY
  const { micros, zoned } = parsed
  // A wall-clock column takes no zone and an instant needs one; where they do not fit, the writer's zone decides, and nobody tells it.
  const reach = zoned === isInstant ? 0n : ZONE_REACH
  return { kind: 'timestamp', low: micros - reach, high: micros + reach }
}

/** The number a double column would hold for this text, or null when it is none. Knows NaN and the infinities. */
export function parseDouble(text: string): number | null {
  if (DOUBLE.test(text)) return Number(text)
  if (text === 'NaN') return NaN
  if (/^\+?Inf(?:inity)?$/i.test(text)) return Infinity
  return /^-Inf(?:inity)?$/i.test(text) ? -Infinity : null
}

/**
 * A value from `partitionValues` for its column's type. Null and the empty text are null for every type.
 * @param text undefined when the map lacks the column, which says nothing about the value
 */
export function parsePartitionValue(text: string | null | undefined, type: DeltaType): PartitionValue {
  if (text === undefined) return ANY
  if (text === null || text === '') return NULL_VALUE
  if (type.kind !== 'primitive' && type.kind !== 'decimal') return ANY
  switch (type.kind === 'decimal' ? 'decimal' : type.name) {
    case 'byte':
    case 'short':
    case 'integer':
    case 'long':
    case 'decimal': {
      const value = parseExactNumber(text)
      return value ? { kind: 'exact', value } : ANY
    }
    case 'float':
    case 'double': {
      const value = parseDouble(text)
      return value === null ? ANY : { kind: 'float', value }
    }
    case 'string':
      return { kind: 'string', value: text }
    case 'boolean': {
      const lower = text.toLowerCase()
      return lower === 'true' || lower === 'false' ? { kind: 'boolean', value: lower === 'true' } : ANY
    }
    case 'date': {
      const days = parseDate(text)
      return days === null ? ANY : { kind: 'date', days }
    }
    case 'timestamp':
      return timestamp(text, true)
    case 'timestamp_ntz':
      return timestamp(text, false)
    case 'binary':
      // Above ASCII, writers disagree whether a character stands for one byte or for its UTF-8 form.
      return /^[\0-\x7f]*$/.test(text) ? { kind: 'binary', bytes: Buffer.from(text, 'latin1') } : ANY
    default:
      return ANY
  }
}
