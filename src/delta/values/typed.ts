/** Checks that a text of the log is a value of its column's type: partition values, and bounds in the statistics. */
import type { ExactNumber } from '../../model/run/exact-number.ts'
import { parseDate, parseTimestamp } from '../../model/lake/instant.ts'
import type { DeltaType, Field } from '../schema.ts'
import { jsonStringText } from '../stats.ts'
import { parsePartitionValue } from './partition-values.ts'

const INTEGER_BITS: Readonly<Record<string, bigint>> = { byte: 7n, short: 15n, integer: 31n, long: 63n }
/** Types with a defined text form, so that an unreadable text is not a value. Binary text depends on the writer. */
const TYPES_WITH_TEXT_FORM: ReadonlySet<string> = new Set([
  'byte',
  'short',
  'integer',
  'long',
  'decimal',
  'float',
  'double',
  'boolean',
  'date',
  'timestamp',
  'timestamp_ntz',
])

const NUMBER = /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/
const WHOLE_NUMBER = /^-?\d+(\.0*)?$/
const NO_NUMBER = /^"[+-]?(nan|inf|infinity)"$/i

/** Name of a type without its parameters: `long`, `decimal`, `struct`. */
export function kindOf(type: DeltaType): string {
  return type.kind === 'primitive' ? type.name : type.kind
}

/**
 * True if a value of the column may have been a 4-byte float: the column's type is float, or was float before a
 * widening.
 */
export function hasBeenFloat({ type, typeChanges }: Field): boolean {
  return kindOf(type) === 'float' || typeChanges.some(({ from }) => kindOf(from) === 'float')
}

/** True if readers can convert a partition value to the column's type; null and the empty text are null. */
export function isPartitionText(text: string | null, type: DeltaType): boolean {
  const value = parsePartitionValue(text, type)
  if (value.kind === 'any') return !TYPES_WITH_TEXT_FORM.has(kindOf(type))
  return value.kind !== 'exact' || fits(value.value, type)
}

const KERNEL_INTEGER = /^[+-]?\d+$/
const KERNEL_TIME = /^\d{4}-\d{1,2}-\d{1,2} \d{1,2}:\d{2}:\d{2}(?:\.\d+)?$/
const RFC_3339 = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:[Zz]|[+-]\d{2}:\d{2})$/

/**
 * True if readers based on delta-kernel (deltalake, polars, DuckDB) can also read a partition value; otherwise they
 * refuse the whole table. These readers are stricter than `isPartitionText`, which must be true as well: a whole number
 * has no point or exponent, a decimal has exactly as many decimal places as its scale, and a time has seconds.
 */
export function isKernelText(text: string | null, type: DeltaType): boolean {
  if (text === null || text === '') return true
  switch (kindOf(type)) {
    case 'byte':
    case 'short':
    case 'integer':
    case 'long':
      return KERNEL_INTEGER.test(text)
    case 'decimal':
      return type.kind === 'decimal' && writtenScale(text) === type.scale
    case 'timestamp':
      return KERNEL_TIME.test(text) || RFC_3339.test(text)
    case 'timestamp_ntz':
      return KERNEL_TIME.test(text)
    default:
      return true
  }
}

/** Digits after the decimal point as written; negative if the exponent adds zeros. */
function writtenScale(text: string): number {
  const [digits = '', exponent = '0'] = text.split(/e/i)
  const point = digits.indexOf('.')
  return (point === -1 ? 0 : digits.length - point - 1) - Number(exponent)
}

/**
 * True if a number is in range. Digits beyond a decimal's scale are refused: some readers change the value, others
 * refuse it.
 */
function fits({ unscaled, scale }: ExactNumber, type: DeltaType): boolean {
  const unit = 10n ** BigInt(scale)
  const magnitude = unscaled < 0n ? -unscaled : unscaled
  if (type.kind === 'decimal') {
    const isExact = (unscaled * 10n ** BigInt(type.scale)) % unit === 0n
    return isExact && magnitude < unit * 10n ** BigInt(type.precision - type.scale)
  }
  const bits = INTEGER_BITS[kindOf(type)]
  if (bits === undefined) return true
  const isWhole = unscaled % unit === 0n
  return isWhole && magnitude / unit <= (unscaled < 0n ? 1n << bits : (1n << bits) - 1n)
}

/** True if a bound has the JSON form that statistics use for the type. @param piece JSON text of a scalar */
export function isStatsPiece(piece: string, type: DeltaType): boolean {
  const text = jsonStringText(piece)
  switch (kindOf(type)) {
    case 'byte':
    case 'short':
    case 'integer':
    case 'long':
      return WHOLE_NUMBER.test(piece)
    case 'float':
    case 'double':
      return NUMBER.test(piece) || NO_NUMBER.test(piece) || /^-?(nan|infinity)$/i.test(piece)
    case 'decimal':
      // Some writers quote decimals so that no reader rounds them.
      return NUMBER.test(text ?? piece)
    case 'string':
    case 'binary':
      return text !== null
    case 'date':
      return text !== null && parseDate(text) !== null
    case 'timestamp':
    case 'timestamp_ntz':
      return text !== null && parseTimestamp(text) !== null
    case 'boolean':
      return piece === 'true' || piece === 'false'
    default:
      return true
  }
}
