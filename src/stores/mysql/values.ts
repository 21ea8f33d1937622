/** Converts values to and from MySQL. Nothing is interpolated: the binary protocol sends parameters with types. */
import { INT64 } from '../../shared/int64.ts'
import mysql from 'mysql2'
import type { ExecuteValues, FieldPacket } from 'mysql2'
import { SluiceError } from '../../shared/errors.ts'
import type { SqlRow, SqlValue } from '../../model/run/sql-port.ts'
import { bufferOf } from '../common/cells.ts'

const { LONGLONG } = mysql.TypedParameter
const UINT64_MAX = 2n ** 64n - 1n

/** Column types of the protocol that need conversion. */
const TYPE_DECIMAL = 0
const TYPE_BIGINT = 8
const TYPE_BIT = 16
const TYPE_VECTOR = 242
const TYPE_NEWDECIMAL = 246
const TYPE_GEOMETRY = 255

/**
 * A parameter for the driver. Integers are sent as integers: the driver would send doubles, which LIMIT refuses, and
 * which lose digits above 2^53.
 * @throws SluiceError VALUE_REFUSED for NaN and infinities
 */
export function parameterOf(value: SqlValue): ExecuteValues {
  if (value === null || typeof value === 'string') return value
  if (typeof value === 'number') {
    if (Number.isSafeInteger(value) && !Object.is(value, -0)) return LONGLONG(value)
    if (Number.isFinite(value)) return value
    refuseNumber(value)
  }
  if (typeof value === 'bigint') {
    if (value >= INT64.least && value <= INT64.most) return LONGLONG(value)
    return value > 0n && value <= UINT64_MAX ? LONGLONG.unsigned(value) : String(value)
  }
  return bufferOf(value)
}

/** A number as a literal, exact in both directions. @throws SluiceError VALUE_REFUSED as `parameterOf` */
export function numberText(value: number | bigint): string {
  if (typeof value === 'number' && !Number.isFinite(value)) refuseNumber(value)
  return Object.is(value, -0) ? '-0' : String(value)
}

function refuseNumber(value: number): never {
  throw new SluiceError('VALUE_REFUSED', `${value} is not a number that MySQL can store`)
}

/** Upper bound of the bytes that a value takes in a packet. */
export function packetBytes(value: SqlValue): number {
  if (typeof value === 'string') return value.length * 3 + 9
  return value instanceof Uint8Array ? value.byteLength + 9 : 24
}

/** Converts a row of the driver to one of the port, in place. Columns that need no conversion are left unchanged. */
export type MysqlRowReader = (row: SqlValue[]) => SqlRow

export function portRowReader(fields: readonly FieldPacket[]): MysqlRowReader {
  const columns: { readonly at: number; readonly read: (value: unknown) => SqlValue }[] = []
  fields.forEach(({ columnType }, at) => {
    if (columnType === TYPE_BIGINT) columns.push({ at, read: readBigint })
    else if (columnType === TYPE_DECIMAL || columnType === TYPE_NEWDECIMAL) columns.push({ at, read: readDecimal })
    else if (columnType === TYPE_BIT) columns.push({ at, read: readBits })
    else if (columnType === TYPE_GEOMETRY || columnType === TYPE_VECTOR) columns.push({ at, read: readOther })
  })
  if (columns.length === 0) return (row) => row
  return (row) => {
    for (const { at, read } of columns) {
      const value = row[at]
      if (value !== null) row[at] = read(value)
    }
    return row
  }
}

/** Geometries and vectors as bytes or text: the driver may return them as objects or lists. */
function readOther(value: unknown): SqlValue {
  return value instanceof Uint8Array || typeof value === 'string' ? value : JSON.stringify(value)
}

/** A number; a BigInt if the driver returns text, because a number would lose digits. */
function readBigint(value: unknown): SqlValue {
  return typeof value === 'string' ? BigInt(value) : (value as number)
}

/** A safe integer as a number, because a sum of integers is a DECIMAL; other decimals keep their digits as text. */
function readDecimal(value: unknown): SqlValue {
  const text = String(value)
  if (!/^-?\d+$/.test(text)) return text
  const number = Number(text)
  return Number.isSafeInteger(number) ? number : text
}

function readBits(value: unknown): SqlValue {
  if (!Buffer.isBuffer(value)) return value as SqlValue
  const bits = BigInt(`0x${value.toString('hex')}`)
  return bits <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(bits) : bits
}
