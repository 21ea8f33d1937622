/** Single values of Cassandra, from the driver's form to the canonical one. */
import { eraDayText } from '../../../model/run/civil-day.ts'
import cassandra from 'cassandra-driver'
import { canonicalDecimal } from '../../../model/copy/decimal.ts'
import { refusedValue } from '../../../model/copy/refused.ts'
import type { Cell } from '../../../model/copy/rows.ts'
import { validText } from '../broken-text.ts'
import { inetText } from './inet.ts'
import { cassandraDurationText, timestampText, cassandraTimeText } from './time-values.ts'
import { spelledDecimalBytes } from './numbers.ts'
import type { SimpleName } from './types.ts'

export type Given = Exclude<Cell, null>

const { BigDecimal } = cassandra.types

/** The day 1970-01-01: days are counted from the middle of the four-byte range. */
export const MIDDLE_DAY = 0x8000_0000

/**
 * Returns the function that converts the driver's non-null values to canonical ones.
 * @param spelled true: decimals keep trailing zeros and exponents
 * @throws (the function) SluiceError VALUE_REFUSED
 */
export function scalarReader(name: SimpleName, spelled: boolean): (value: unknown) => Given {
  switch (name) {
    case 'ascii':
    case 'text':
      return validText
    case 'bigint':
    case 'counter':
    case 'int':
    case 'smallint':
    case 'tinyint':
    case 'varint':
      return String
    case 'blob':
      return (value) => value as Buffer
    case 'boolean':
      return (value) => (value === true ? '1' : '0')
    case 'double':
    case 'float':
      return (value) => value as number
    case 'decimal':
      return spelled
        ? (value) => decimalText(value as cassandra.types.BigDecimal)
        : (value) => canonicalDecimal(decimalText(value as cassandra.types.BigDecimal))
    case 'uuid':
    case 'timeuuid':
      return uuid
    case 'inet':
      return (value) => inetText((value as cassandra.types.InetAddress).getBuffer())
    case 'timestamp':
      return timestamp
    case 'date':
      return (value) => eraDayText((value as cassandra.types.LocalDate).toBuffer().readUInt32BE(0) - MIDDLE_DAY)
    case 'time':
      return (value) => cassandraTimeText((value as cassandra.types.LocalTime).toBuffer().readBigInt64BE(0))
    case 'duration':
      return duration
  }
}

/**
 * Text of a decimal of the driver, read from the bytes: the driver prints decimals with a negative scale wrongly, never
 * ends for those with more than 308 digits, and hides their parts.
 */
export function decimalText(value: cassandra.types.BigDecimal): string {
  return spelledDecimalBytes(BigDecimal.toBuffer(value))
}

function uuid(value: unknown): string {
  const hex = (value as cassandra.types.Uuid).getBuffer().toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

function timestamp(value: unknown): string {
  const ms = (value as Date).getTime()
  if (Number.isNaN(ms))
    throw refusedValue(
      'a time that the driver of Cassandra can read, of the years 271822 BC to 275760',
      'a timestamp outside',
    )
  return timestampText(ms)
}

function duration(value: unknown): string {
  const { months, days, nanoseconds } = value as {
    readonly months: number
    readonly days: number
    readonly nanoseconds: cassandra.types.Long
  }
  return cassandraDurationText({ months, days, nanos: BigInt(nanoseconds.toString()) })
}
