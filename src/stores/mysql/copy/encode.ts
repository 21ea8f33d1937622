/**
 * Converts values for a column. Refuses what the server would accept and change (round, cut, pad, store as another
 * value). Values that the server itself refuses are not checked here.
 */
import { INT64 } from '../../../shared/int64.ts'
import { withoutArrayBounds } from '../../../model/copy/array-bounds.ts'
import { bytesOfHex } from '../../../model/copy/bytes-text.ts'
import type { ColumnType } from '../../../model/copy/column-type.ts'
import type { Cell } from '../../../model/copy/rows.ts'
import { isMembered, membersOf, zeroText } from '../../../model/copy/members.ts'
import { canonicalCellText, doubleText } from '../../../model/copy/canonical.ts'
import { canonicalDecimal } from '../../../model/copy/decimal.ts'
import type { SluiceError } from '../../../shared/errors.ts'
import type { WriteColumn } from '../../../model/copy/write-column.ts'
import type { SqlValue } from '../../../model/run/sql-port.ts'
import { internalOf } from '../../../model/copy/ewkb.ts'
import { jsonTokens } from '../../../model/lake/json-tokens.ts'
import { mysqlRowRefused } from './errors.ts'
import { isPrintedDay } from './printed-days.ts'
import { baseTypeName, isBytes, isOpaque, isText, isWholeType, isGeometry } from './types.ts'

type Present = Exclude<Cell, null>
type Encoder = (cell: Present) => SqlValue

const MOST_WHOLE = 2n ** 64n - 1n

/** Why a value does not fit; its row is refused. */
class Unfit extends Error {}

/** @param where table, for messages @returns a function from cell to parameter; it throws SluiceError ROW_REFUSED */
export function mysqlEncoder(
  { name, as, column }: WriteColumn,
  flavour: 'mysql' | 'mariadb',
  where: string,
): (cell: Cell) => SqlValue {
  // Dates that the server printed are checked by the server.
  const plain = isPrintedDay({ as, column })
    ? text
    : (memberEncoder(as, column.native) ?? encoderFor(column.native, flavour))
  const encode = withoutArrayBounds(as, plain, name)
  // In a column that is NOT NULL or AUTO_INCREMENT, the server could replace NULL by a number or the current time.
  const mayBeNull = column.nullable && column.identity !== true
  return (cell) => {
    if (cell === null) {
      if (mayBeNull) return null
      throw refused(name, where, 'NULL in a column that is NOT NULL')
    }
    try {
      return encode(cell)
    } catch (error) {
      if (error instanceof Unfit) throw refused(name, where, error.message)
      throw error
    }
  }
}

function encoderFor(native: string, flavour: 'mysql' | 'mariadb'): Encoder {
  const base = baseTypeName(native)
  const [length, scale] = /\((\d+)(?:,\s*(\d+))?\)/.exec(native)?.slice(1).map(Number) ?? []
  if (base === 'year') return year
  if (isWholeType(base)) return whole
  if (isText(base)) return base === 'char' ? unpadded : text
  if (isBytes(base)) return base === 'binary' ? exactly(length ?? 1) : bytes
  if (isGeometry(base)) return shape
  if (isOpaque(base)) return opaque
  switch (base) {
    case 'bit':
      return (cell) => BigInt(whole(cell))
    case 'decimal':
      return decimal(scale ?? 0)
    case 'float':
      return rounding(single, length, scale, Math.fround)
    case 'double':
      return rounding(double, length, scale, Number)
    case 'date':
      return day
    case 'datetime':
    case 'timestamp':
      return timestampEncoder(length ?? 0)
    case 'time':
      return time(length ?? 0)
    case 'json':
      return flavour === 'mysql' ? jsonOfMysql : text
    default:
      return text
  }
}

function refused(column: string, where: string, message: string): SluiceError {
  return mysqlRowRefused(
    `${column}: ${message}`,
    where,
    'correct the value at the source, or give the column another type',
  )
}

function shown(cell: Present): string {
  return canonicalCellText(cell).slice(0, 60)
}

function text(cell: Present): string {
  if (typeof cell === 'string') return cell
  if (typeof cell === 'number') return doubleText(cell)
  throw new Unfit('bytes in a column of another type')
}

function whole(cell: Present): string {
  const digits = text(cell)
  if (/^-?\d+$/.test(digits)) return digits
  throw new Unfit(`not a whole number: ${shown(cell)}`)
}

/** A year of four digits, or 0. The server would read shorter numbers as years of this century or the last. */
function year(cell: Present): string {
  const digits = whole(cell)
  if (digits === '0') return '0000'
  if (/^[1-9]\d{3}$/.test(digits)) return digits
  throw new Unfit(`not a year that MySQL can store: ${shown(cell)}`)
}

function unpadded(cell: Present): string {
  const given = text(cell)
  if (given.endsWith(' ')) throw new Unfit('blanks at the end of a CHAR are not kept')
  return given
}

function opaque(cell: Present): SqlValue {
  const found = bytesOfHex(text(cell))
  if (found === null) throw new Unfit(`not hexadecimal digits: ${shown(cell)}`)
  return found
}

function shape(cell: Present): SqlValue {
  try {
    return Buffer.from(internalOf(text(cell)), 'hex')
  } catch {
    throw new Unfit(`not a geometry in hexadecimal digits: ${shown(cell)}`)
  }
}

function bytes(cell: Present): SqlValue {
  return typeof cell === 'object' ? cell : Buffer.from(text(cell), 'utf8')
}

function exactly(length: number): Encoder {
  return (cell) => {
    const given = bytes(cell)
    if (given instanceof Uint8Array && given.byteLength < length) {
      throw new Unfit(`${given.byteLength} bytes would be padded to ${length}`)
    }
    return given
  }
}

function decimal(scale: number): Encoder {
  return (cell) => {
    const digits = text(cell)
    if (!/^-?\d/.test(digits)) throw new Unfit(`not a number that a DECIMAL can store: ${shown(cell)}`)
    const point = digits.indexOf('.')
    if (point >= 0 && digits.length - point - 1 > scale) {
      throw new Unfit(`${shown(cell)} has more than ${scale} digits after the decimal point`)
    }
    return digits
  }
}

function double(cell: Present): SqlValue {
  if (typeof cell !== 'number') return text(cell)
  if (!Number.isFinite(cell)) throw new Unfit(`${cell} is not a number that MySQL can store`)
  if (Object.is(cell, -0)) throw new Unfit('MySQL would store -0 as 0')
  return cell
}

function single(cell: Present): SqlValue {
  if (typeof cell === 'number' && Number.isFinite(cell) && Math.fround(cell) !== cell) {
    throw new Unfit(`${cell} would be rounded to single precision`)
  }
  return double(cell)
}

/**
 * Refuses numbers that FLOAT(M,D) and DOUBLE(M,D) would change without a warning. The server takes the next lower
 * whole number, and adds the rounded difference to it. So a DOUBLE(9,1) stores -0.2 as -0.19999999999999996. It stores
 * -0.19999999999999996 unchanged. A FLOAT(10,2) stores its largest number, 99999999.99, as 100000000, and refuses this
 * one: such a cell is sent as the number that the column was given.
 */
function rounding(
  encode: Encoder,
  length: number | undefined,
  scale: number | undefined,
  narrowed: (value: number) => number,
): Encoder {
  if (length === undefined || scale === undefined) return encode
  const factor = Number(`1e${scale}`)
  const most = Number(`1e${length - scale}`) - 1 / factor
  return (cell) => {
    const given = Number(cell)
    const floor = Math.floor(given)
    const stored = narrowed(floor + toEven((given - floor) * factor) / factor)
    // NaN and infinity are refused by the encoder, or by the server.
    if (Number.isFinite(stored) && stored !== given) throw new Unfit(`${shown(cell)} would be stored as ${stored}`)
    const isMost = Math.abs(given) > most && Math.abs(given) === narrowed(most)
    return isMost ? Math.sign(given) * most : encode(cell)
  }
}

/** Rounds a number that is not negative; a half to the even number. Above 2^52, doubles have no fraction. */
function toEven(value: number): number {
  return value < 2 ** 52 ? value + 2 ** 52 - 2 ** 52 : value
}

/** The server parses dates leniently: text in another form could become another date. */
const DAY = /^\d{4}-(?!00)\d\d-(?!00)\d\d$/
const TIMESTAMP_TEXT = /^\d{4}-(?!00)\d\d-(?!00)\d\d(?: \d\d:\d\d:\d\d(?:\.(\d+))?)?$/
const TIME = /^-?\d{2,3}:\d\d:\d\d(?:\.(\d+))?$/

function day(cell: Present): string {
  const given = text(cell)
  if (DAY.test(given)) return given
  throw new Unfit(`not a date that MySQL can store: ${shown(cell)}`)
}

function timestampEncoder(digits: number): Encoder {
  return (cell) => timed(text(cell), TIMESTAMP_TEXT, digits)
}

function time(digits: number): Encoder {
  return (cell) => timed(text(cell), TIME, digits)
}

function timed(given: string, pattern: RegExp, digits: number): string {
  const found = pattern.exec(given)
  if (found === null) throw new Unfit(`not a time that MySQL can store: ${given.slice(0, 60)}`)
  if ((found[1]?.length ?? 0) > digits) throw new Unfit(`${given} has more than ${digits} digits of a second`)
  return given
}

/** @returns null for a column that is neither an enum nor a set */
function memberEncoder(as: ColumnType, native: string): Encoder | null {
  const base = baseTypeName(native)
  if (base !== 'enum' && base !== 'set') return null
  const known = membersOf(native)
  // Only enums and sets have a text for number 0. A text of another type must be a member.
  const zero = as.kind === 'native' && isMembered(as.name) ? zeroText(membersOf(as.name)) : null
  return base === 'enum' ? member(known, zero) : members(known, zero ?? '')
}

/**
 * Encodes a member as its number: a collation may treat two members as equal, and the server reads digits as a number.
 */
function member(known: readonly string[], zero: string | null): Encoder {
  const numbers = new Map(known.map((one, at) => [one, BigInt(at + 1)]))
  return (cell) => {
    const given = text(cell)
    const number = given === zero ? 0n : numbers.get(given)
    if (number === undefined) throw new Unfit(`not a member of the enum: ${shown(cell)}${hiddenNote(given)}`)
    return number
  }
}

/** The cause, if a member with a character of four bytes is unknown. */
function hiddenNote(name: string): string {
  return /[\u{10000}-\u{10ffff}]/u.test(name)
    ? ' (if the type has this member, give the column of the target a text type: the dictionary of the server has ? for each emoji)'
    : ''
}

/** Encodes members of a set as a number with one bit for each: the server never reads the empty text as a member. */
function members(known: readonly string[], zero: string): Encoder {
  const bits = new Map(known.map((one, at) => [one, 1n << BigInt(at)]))
  return (cell) => {
    const given = text(cell)
    if (given === zero) return 0n
    return given.split(',').reduce((sum, one) => {
      const bit = bits.get(one)
      if (bit === undefined) throw new Unfit(`not members of the set: ${shown(cell)}${hiddenNote(one)}`)
      return sum | bit
    }, 0n)
  }
}

function jsonOfMysql(cell: Present): string {
  const given = text(cell)
  if (!isDoubleExact(given)) throw new Unfit('MySQL would round a number in this JSON')
  return given
}

/** True if MySQL keeps every number of a JSON text: 64-bit integers exactly, others as floating point numbers. */
function isDoubleExact(json: string): boolean {
  for (const token of jsonTokens(json)) {
    // Up to fifteen digits are exact in a double.
    if (!/^[-\d]/.test(token) || (token.length <= 15 && !/e/i.test(token))) continue
    const exact = canonicalDecimal(token)
    if (/^-?\d+$/.test(exact)) {
      const integer = BigInt(exact)
      if (integer >= INT64.least && integer <= MOST_WHOLE) continue
    }
    const nearest = Number(token)
    if (!Number.isFinite(nearest) || canonicalDecimal(String(nearest)) !== exact) return false
  }
  return true
}
