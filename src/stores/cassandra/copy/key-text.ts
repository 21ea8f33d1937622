/** Texts of values as the driver returns them: to compare keys, and to name them to users. */
import cassandra from 'cassandra-driver'
import { bytesText } from '../../../model/copy/bytes-text.ts'
import { decimalText } from './scalars.ts'
import { timestampText } from './time-values.ts'
import { doubleText } from '../../../model/copy/canonical.ts'

/**
 * Text of a value, equal only for equal values of one type. Never throws: messages name values that cannot be
 * converted.
 */
export function driverText(value: unknown): string {
  if (value === null || value === undefined) return ''
  switch (typeof value) {
    case 'string':
      return value
    case 'number':
      return doubleText(value)
    case 'object':
      return objectText(value)
    default:
      return typeof value === 'bigint' || typeof value === 'boolean' ? String(value) : ''
  }
}

function objectText(value: object): string {
  if (value instanceof Uint8Array) return bytesText(value)
  if (value instanceof Date)
    return Number.isNaN(value.getTime())
      ? 'a timestamp outside of the years 271822 BC to 275760'
      : timestampText(value.getTime())
  if (value instanceof cassandra.types.BigDecimal) return decimalText(value)
  if (value instanceof Map || value instanceof Set) return listText([...value])
  if (Array.isArray(value)) return listText(value)
  // The driver cannot print a tuple that contains null.
  if ('elements' in value && Array.isArray(value.elements)) return listText(value.elements)
  const { toString } = value as { toString(): string }
  return toString === Object.prototype.toString ? listText(Object.values(value)) : toString.call(value)
}

/** Texts of several values, each quoted, so that `a,b` and `c` differ from `a` and `b,c`. */
function listText(values: readonly unknown[]): string {
  return `[${values.map((one) => (one == null ? 'null' : typeof one === 'string' ? JSON.stringify(one) : driverText(one))).join(',')}]`
}
