/**
 * Converts driver values to canonical values, and these to the texts from which row checksums are computed
 * (docs/reference/CANONICAL.md).
 */
import { isUtf8 } from 'node:buffer'
import { readJson, type JsonBuilder } from '../lake/json-reader.ts'
import { bytesOfHex, hexDigits } from './bytes-text.ts'
import { cutFraction, date, canonicalInstant, time, dateOf } from './canonical-time.ts'
import type { ColumnType } from './column-type.ts'
import { canonicalDecimal, roundedDecimal } from './decimal.ts'
import { ewkbOf } from './ewkb.ts'
import { refusedValue } from './refused.ts'
import type { Cell } from './rows.ts'

/** Values from drivers, except NULL, which stays null. */
export type RawValue = string | number | bigint | boolean | Uint8Array

export type Normalizer = (raw: RawValue) => Exclude<Cell, null>

const CANONICAL: JsonBuilder<string> = {
  object(members) {
    const names = [...members.keys()].toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0))
    return `{${names.map((name) => `${JSON.stringify(name)}:${members.get(name) ?? ''}`).join(',')}}`
  },
  array: (items) => `[${items.join(',')}]`,
  string: (value) => JSON.stringify(value),
  number: canonicalDecimal,
  word: (word) => word,
}

/**
 * Converter of a column's values to canonical form. It accepts the output of PostgreSQL, SQLite, MySQL and DuckDB, and
 * canonical texts.
 * @throws (the function) SluiceError VALUE_REFUSED for a value that does not fit the type
 */
export function normalizer(type: ColumnType): Normalizer {
  switch (type.kind) {
    case 'bool':
      return bool
    case 'int':
      return int
    case 'decimal': {
      const { cut } = type
      return cut === undefined ? decimal : (raw) => roundedDecimal(decimal(raw), cut)
    }
    case 'float':
      return type.bits === 32 ? (raw) => Math.fround(float(raw)) : float
    case 'text':
      return type.padded === true ? (raw) => text(raw).replace(/ +$/, '') : text
    case 'bytes':
      return bytes
    case 'uuid':
      return uuid
    case 'date':
      return type.cut === true ? (raw) => dateOf(text(raw)) : (raw) => date(text(raw))
    case 'time': {
      const { cut } = type
      return cut === undefined ? (raw) => time(text(raw)) : (raw) => cutFraction(time(text(raw)), cut)
    }
    case 'timestamp': {
      const { cut, zone } = type
      return cut === undefined
        ? (raw) => canonicalInstant(text(raw), zone)
        : (raw) => cutFraction(canonicalInstant(text(raw), zone), cut)
    }
    case 'json':
      return type.spelled === true ? spelledJson : (raw) => canonicalJson(text(raw))
    case 'list':
      return (raw) => canonicalJson(text(raw))
    case 'native':
      return type.name === 'ewkb' ? (raw) => ewkbOf(text(raw)) : text
  }
}

/**
 * Canonical JSON: no blanks, keys sorted by UTF-16 units, only the last of equal keys, escapes only where JSON requires
 * them, numbers as plain decimals without leading or trailing zeros. Numbers are never converted to a double.
 * @throws SluiceError VALUE_REFUSED if the text is not JSON
 */
export function canonicalJson(json: string): string {
  return readJson(json, CANONICAL)
}

/** True if every driver returns values of the type as canonical text. */
export function isPlainType(type: ColumnType): boolean {
  return (type.kind === 'native' && type.name !== 'ewkb') || (type.kind === 'text' && type.padded !== true)
}

const scratch = Buffer.alloc(8)

/** Text of a canonical value: floats as the hexadecimal digits of their IEEE 754 form, bytes as hexadecimal digits. */
export function canonicalCellText(cell: Exclude<Cell, null>): string {
  if (typeof cell === 'string') return cell
  if (typeof cell !== 'number') return hexDigits(cell)
  if (Number.isNaN(cell)) return '7ff8000000000000'
  scratch.writeDoubleBE(cell)
  return scratch.toString('hex')
}

function bool(raw: RawValue): string {
  if (raw === true || raw === 't' || raw === '1' || raw === 1 || raw === 1n || raw === 'true') return '1'
  if (raw === false || raw === 'f' || raw === '0' || raw === 0 || raw === 0n || raw === 'false') return '0'
  throw refusedValue('true or false', raw)
}

const INTEGER = /^-?(?:0|[1-9]\d*)$/

function int(raw: RawValue): string {
  if (typeof raw === 'object') throw refusedValue('a whole number', raw)
  if (typeof raw === 'boolean') return raw ? '1' : '0'
  // BigInt prints all digits of a large double; String would print only the shortest unique ones.
  const whole = typeof raw === 'number' && Number.isInteger(raw) ? BigInt(raw).toString() : String(raw)
  if (INTEGER.test(whole)) return whole === '-0' ? '0' : whole
  // A column without a strict type may return 7.0 for an integer.
  const exact = canonicalDecimal(whole)
  if (INTEGER.test(exact)) return exact
  throw refusedValue('a whole number', raw)
}

function decimal(raw: RawValue): string {
  if (typeof raw === 'object') throw refusedValue('a number', raw)
  return canonicalDecimal(typeof raw === 'string' ? raw : String(raw))
}

const FLOAT = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/

function float(raw: RawValue): number {
  if (typeof raw === 'number') return raw
  if (typeof raw === 'bigint') return Number(raw)
  if (typeof raw === 'string') {
    if (FLOAT.test(raw)) return Number(raw)
    switch (raw.toLowerCase()) {
      case 'nan':
        return Number.NaN
      case 'inf':
      case 'infinity':
        return Number.POSITIVE_INFINITY
      case '-inf':
      case '-infinity':
        return Number.NEGATIVE_INFINITY
    }
  }
  throw refusedValue('a number', raw)
}

function text(raw: RawValue): string {
  if (typeof raw === 'string') return raw
  if (typeof raw !== 'object') return String(raw)
  if (!isUtf8(raw)) throw refusedValue('text in UTF-8', raw)
  return Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength).toString('utf8')
}

function bytes(raw: RawValue): Uint8Array {
  if (typeof raw === 'object') return raw
  if (typeof raw !== 'string') throw refusedValue('bytes', raw)
  if (!raw.startsWith('\\x')) return Buffer.from(raw, 'utf8')
  const decoded = bytesOfHex(raw.slice(2))
  if (decoded === null) throw refusedValue('bytes', raw)
  return decoded
}

function spelledJson(raw: RawValue): string {
  const given = text(raw)
  try {
    JSON.parse(given)
  } catch {
    throw refusedValue('JSON', given)
  }
  return given
}

const UUID = /^\{?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})\}?$/i
const PLAIN_UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

function uuid(raw: RawValue): string {
  if (typeof raw === 'string') {
    if (PLAIN_UUID.test(raw)) return raw
    const found = UUID.exec(raw)
    if (found !== null) return found.slice(1).join('-').toLowerCase()
  }
  throw refusedValue('a UUID', raw)
}

/** The shortest text of a double. `String` alone drops the sign of -0. */
export function doubleText(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value)
}
