/** Cassandra's sort order of values: sets and map keys are stored in this order. */
import { decimalOf, spelledDecimalBytes, varintOf } from './numbers.ts'
import { lengthPrefixed } from '../length-prefixed.ts'
import { canonicalDecimal } from '../../../model/copy/decimal.ts'
import type { CqlType, SimpleName } from './types.ts'

export type Compare = (a: Buffer, b: Buffer) => number

/** @returns a function over the bytes of two values */
export function compareOf(type: CqlType): Compare {
  switch (type.kind) {
    case 'simple':
      return simple(type.name)
    case 'list':
    case 'set':
      return ofParts(lengthPrefixed(4), () => compareOf(type.of))
    case 'map': {
      const both = [compareOf(type.key), compareOf(type.value)]
      return ofParts(lengthPrefixed(4), (at) => both[at % 2] ?? Buffer.compare)
    }
    case 'tuple': {
      const all = type.parts.map(compareOf)
      return ofParts(lengthPrefixed(0), (at) => all[at] ?? Buffer.compare)
    }
    case 'udt': {
      const all = (type.fields ?? []).map((field) => compareOf(field.type))
      return ofParts(lengthPrefixed(0), (at) => all[at] ?? Buffer.compare)
    }
    case 'vector':
    case 'custom':
      return Buffer.compare
  }
}

function simple(name: SimpleName): Compare {
  switch (name) {
    case 'bigint':
    case 'counter':
    case 'int':
    case 'smallint':
    case 'timestamp':
    case 'tinyint':
      return (a, b) => signed(a, b)
    case 'varint':
      return by(varintOf, (a, b) => (a < b ? -1 : a > b ? 1 : 0))
    case 'decimal':
      return compareDecimals
    case 'double':
      return by((bytes) => bytes.readDoubleBE(0), compareFloats)
    case 'float':
      return by((bytes) => bytes.readFloatBE(0), compareFloats)
    case 'timeuuid':
      return (a, b) => compareTimes(a, b) || signedBytes(a, b)
    case 'uuid':
      return compareUuids
    default:
      return Buffer.compare
  }
}

function by<T>(read: (bytes: Buffer) => T, compare: (a: T, b: T) => number): Compare {
  return (a, b) => compare(read(a), read(b))
}

/** Compares signed integers in two's complement of equal length. */
function signed(a: Buffer, b: Buffer): number {
  const first = ((a[0] ?? 0) ^ 0x80) - ((b[0] ?? 0) ^ 0x80)
  return first === 0 ? Buffer.compare(a, b) : first
}

/** Compares as Java does: -0.0 before 0.0, NaN last. */
function compareFloats(a: number, b: number): number {
  if (a < b) return -1
  if (a > b) return 1
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b))
  return Number(Object.is(b, -0)) - Number(Object.is(a, -0))
}

/** Compares decimals after giving them the same number of digits after the point. */
function compareDecimals(a: Buffer, b: Buffer): number {
  const [left, right] = [a, b].map(
    (bytes) => decimalOf(canonicalDecimal(spelledDecimalBytes(bytes))) ?? { unscaled: 0n, scale: 0 },
  ) as [{ unscaled: bigint; scale: number }, { unscaled: bigint; scale: number }]
  const scale = Math.max(left.scale, right.scale)
  const difference =
    left.unscaled * 10n ** BigInt(scale - left.scale) - right.unscaled * 10n ** BigInt(scale - right.scale)
  return difference < 0n ? -1 : difference > 0n ? 1 : 0
}

function compareUuids(a: Buffer, b: Buffer): number {
  const version = ((a[6] ?? 0) >> 4) - ((b[6] ?? 0) >> 4)
  if (version !== 0) return version
  const timed = (a[6] ?? 0) >> 4 === 1 ? compareTimes(a, b) : 0
  return timed || Buffer.compare(a, b)
}

/** Compares the timestamps of UUIDs of version 1. The UUID stores the highest part of the timestamp last. */
function compareTimes(a: Buffer, b: Buffer): number {
  const time = (uuid: Buffer): bigint =>
    ((uuid.readBigUInt64BE(0) & 0xfffn) << 48n) | (BigInt(uuid.readUInt16BE(4)) << 32n) | BigInt(uuid.readUInt32BE(0))
  const [left, right] = [time(a), time(b)]
  return left < right ? -1 : left > right ? 1 : 0
}

function signedBytes(a: Buffer, b: Buffer): number {
  for (let at = 0; at < a.length; at++) {
    const difference = ((a[at] ?? 0) ^ 0x80) - ((b[at] ?? 0) ^ 0x80)
    if (difference !== 0) return difference
  }
  return 0
}

/** Compares value by value; nulls come first. */
function ofParts(split: (bytes: Buffer) => readonly (Buffer | null)[], compare: (at: number) => Compare): Compare {
  return (a, b) => {
    const [left, right] = [split(a), split(b)]
    for (let at = 0; at < Math.min(left.length, right.length); at++) {
      const [one, other] = [left[at] ?? null, right[at] ?? null]
      const difference =
        one === null || other === null ? Number(one !== null) - Number(other !== null) : compare(at)(one, other)
      if (difference !== 0) return difference
    }
    return left.length - right.length
  }
}
