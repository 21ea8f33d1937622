/** Parses partition values (PROTOCOL.md, "Partition Value Serialization"): log texts to values of the column's type. */
import { parseExactNumber, type ExactNumber } from '../../model/run/exact-number.ts'
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
  /** Microseconds since the epoch; two different bounds if the zone of the text is unknown. */
  | { readonly kind: 'timestamp'; readonly low: bigint; readonly high: bigint }
  | { readonly kind: 'binary'; readonly bytes: Buffer }
  /** Text that its type cannot parse, or a type without an order: it may be any value. */
  | { readonly kind: 'any' }

/** Largest distance from UTC that any place ever had (Manila before 1845: 15:56). */
const MAX_UTC_OFFSET = 16n * 3_600_000_000n
const DOUBLE = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/
const NULL_VALUE: PartitionValue = { kind: 'null' }
const ANY: PartitionValue = { kind: 'any' }

function timestamp(text: string, isInstant: boolean): PartitionValue {
  const parsed = parseTimestamp(text)
  if (!parsed) return ANY
  const { micros, zoned } = parsed
  // The text of a wall-clock time has no zone; the text of an instant has one. Otherwise the value depends on the
  // writer's zone, which is unknown.
  const reach = zoned === isInstant ? 0n : MAX_UTC_OFFSET
  return { kind: 'timestamp', low: micros - reach, high: micros + reach }
}

/** The number of a double column for this text, or null. Accepts NaN and the infinities in any case, as Spark does. */
export function parseDouble(text: string): number | null {
  if (DOUBLE.test(text)) return Number(text)
  if (/^NaN$/i.test(text)) return NaN
  if (/^\+?Inf(?:inity)?$/i.test(text)) return Infinity
  return /^-Inf(?:inity)?$/i.test(text) ? -Infinity : null
}

/**
 * Parses a value of `partitionValues` for its column's type. Null and the empty text are null for every type.
 * @param text undefined if the map lacks the column; the value is then unknown
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
      // Writers differ in characters above ASCII: such a character may be one byte, or its UTF-8 form.
      return /^[\0-\x7f]*$/.test(text) ? { kind: 'binary', bytes: Buffer.from(text, 'latin1') } : ANY
    default:
      return ANY
  }
}
