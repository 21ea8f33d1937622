/**
 * Converts binary values to the texts that the server prints under the settings of a stream: `pg_type.typsend`, see
 * https://github.com/postgres/postgres/tree/REL_18_STABLE/src/backend/utils/adt
 * Types whose text depends on more than their bytes are not supported.
 */
import { bytesText } from '../../../../model/copy/bytes-text.ts'
import { eraDayText } from '../../../../model/run/civil-day.ts'
import { broken, MOST_VALUE, pgoutputText, tooLarge } from './pgoutput.ts'
import { doubleText } from '../../../../model/copy/canonical.ts'

/** Text of a value between two offsets of a buffer. @throws SluiceError BAD_STREAM, VALUE_REFUSED */
export type ValueText = (data: Buffer, start: number, end: number) => string

const US_PER_DAY = 86_400_000_000
/** Days from 1970 to 2000, the epoch of PostgreSQL. */
const EPOCH_DAYS = 10_957
const NUMERIC_SIGN: Readonly<Record<number, string>> = { 0x0000: '', 0x4000: '-' }
const NUMERIC_NAMES: Readonly<Record<number, string>> = { 0xc000: 'NaN', 0xd000: 'Infinity', 0xf000: '-Infinity' }

/** Functions that make the text, by OID of the type. */
const TEXTS: ReadonlyMap<number, ValueText> = new Map<number, ValueText>([
  // bool, bytea, int8, int2, int4
  [16, sized(1, (data, at) => (data[at] === 0 ? 'f' : 't'))],
  [17, byteaText],
  [20, sized(8, (data, at) => int64Text(data, at))],
  [21, sized(2, (data, at) => String(data.readInt16BE(at)))],
  [23, sized(4, (data, at) => String(data.readInt32BE(at)))],
  // text, json, bpchar, varchar
  [25, pgoutputText],
  [114, pgoutputText],
  [1042, pgoutputText],
  [1043, pgoutputText],
  // float4, float8
  [700, sized(4, (data, at) => doubleText(data.readFloatBE(at)))],
  [701, sized(8, (data, at) => doubleText(data.readDoubleBE(at)))],
  // date, time, timestamp, timestamptz
  [1082, sized(4, (data, at) => dateText(data.readInt32BE(at)))],
  [1083, sized(8, (data, at) => clockText(int64(data, at)))],
  [1114, sized(8, (data, at) => timestampText(data, at, ''))],
  [1184, sized(8, (data, at) => timestampText(data, at, '+00'))],
  // numeric, uuid, jsonb
  [1700, numericText],
  [2950, sized(16, (data, at) => uuidText(data, at))],
  [3802, jsonbText],
])

/** Floating-point types: the text here is the same number, but may be spelled in another way than the server's. */
const FLOATS: ReadonlySet<number> = new Set([700, 701])

/** @param kind pg_type.typtype @returns null for a type that is sent as text */
export function binaryText(type: number, kind: string): ValueText | null {
  // An enum sends its label.
  return kind === 'e' ? pgoutputText : (TEXTS.get(type) ?? null)
}

/** True if `binaryText` returns exactly the text that the server prints. */
export function isPrinted(type: number): boolean {
  return !FLOATS.has(type)
}

function sized(length: number, text: (data: Buffer, at: number) => string): ValueText {
  return (data, start, end) => {
    if (end - start !== length) throw broken(`a value of ${length} bytes has ${end - start}`)
    return text(data, start)
  }
}

function byteaText(data: Buffer, start: number, end: number): string {
  if (end - start > MOST_VALUE / 2) throw tooLarge(end - start)
  return bytesText(data.subarray(start, end))
}

/** The first byte is the version of the format. */
function jsonbText(data: Buffer, start: number, end: number): string {
  if (data[start] !== 1 || start === end) throw broken('a value of type jsonb has an unknown version')
  return pgoutputText(data, start + 1, end)
}

function uuidText(data: Buffer, at: number): string {
  const hex = data.toString('hex', at, at + 16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

function int64Text(data: Buffer, at: number): string {
  const high = data.readInt32BE(at)
  // Most numbers are small, and a bigint takes five times as long.
  return high === 0 ? String(data.readUInt32BE(at + 4)) : String(data.readBigInt64BE(at))
}

/** Exact below 2^53; NaN beyond. */
function int64(data: Buffer, at: number): number {
  const value = data.readInt32BE(at) * 2 ** 32 + data.readUInt32BE(at + 4)
  return Number.isSafeInteger(value) ? value : NaN
}

function timestampText(data: Buffer, at: number, zone: string): string {
  const high = data.readInt32BE(at)
  const low = data.readUInt32BE(at + 4)
  if (high === 0x7fff_ffff && low === 0xffff_ffff) return 'infinity'
  if (high === -0x8000_0000 && low === 0) return '-infinity'
  const us = high * 2 ** 32 + low
  // PostgreSQL's last years in microseconds exceed what a double holds exactly.
  if (!Number.isSafeInteger(us)) return farTimestampText(data.readBigInt64BE(at), zone)
  const days = Math.floor(us / US_PER_DAY)
  return dayText(days, ` ${clockText(us - days * US_PER_DAY)}${zone}`)
}

function farTimestampText(us: bigint, zone: string): string {
  const day = BigInt(US_PER_DAY)
  const clock = ((us % day) + day) % day
  return dayText(Number((us - clock) / day), ` ${clockText(Number(clock))}${zone}`)
}

function dateText(days: number): string {
  if (days === 0x7fff_ffff) return 'infinity'
  return days === -0x8000_0000 ? '-infinity' : dayText(days, '')
}

/** @param days since 2000-01-01 @param rest text before BC */
function dayText(days: number, rest: string): string {
  return eraDayText(days + EPOCH_DAYS, rest)
}

/** @param us microseconds since midnight */
function clockText(us: number): string {
  if (!(us >= 0 && us <= US_PER_DAY)) throw broken('a value is not a time of day')
  const seconds = Math.floor(us / 1_000_000)
  const fraction = us - seconds * 1_000_000
  const clock = `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`
  if (fraction === 0) return clock
  let digits = String(fraction).padStart(6, '0')
  while (digits.endsWith('0')) digits = digits.slice(0, -1)
  return `${clock}.${digits}`
}

function two(value: number): string {
  return value < 10 ? `0${value}` : String(value)
}

/** Format: number of base-10,000 digits, weight of the first digit, sign, number of decimal places, digits. */
function numericText(data: Buffer, start: number, end: number): string {
  if (end - start < 8) throw broken('a value of type numeric is too short')
  const count = data.readUInt16BE(start)
  const weight = data.readInt16BE(start + 2)
  const sign = data.readUInt16BE(start + 4)
  const scale = data.readUInt16BE(start + 6)
  const named = NUMERIC_NAMES[sign]
  if (named !== undefined) return named
  const minus = NUMERIC_SIGN[sign]
  if (minus === undefined || end - start !== 8 + 2 * count) throw broken('a value of type numeric is broken')
  const digit = (place: number): number => (place < count ? data.readUInt16BE(start + 8 + 2 * place) : 0)
  let whole = weight < 0 ? '0' : String(digit(0))
  for (let place = 1; place <= weight; place++) whole += four(digit(place))
  if (scale === 0) return minus + whole
  let fraction = ''
  for (let place = weight + 1; fraction.length < scale; place++) fraction += place < 0 ? '0000' : four(digit(place))
  return `${minus}${whole}.${fraction.slice(0, scale)}`
}

function four(digit: number): string {
  return String(digit).padStart(4, '0')
}
