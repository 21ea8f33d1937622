/**
 * The order of the values of each column type, and safe bounds from a file's statistics. If a writer may have rounded,
 * truncated or left out a value, the bounds are wider than the text.
 */
import { parseDate, parseTimestamp } from '../../model/lake/instant.ts'
import type { LiteralValue } from '../../model/lake/predicate.ts'
import { parsePartitionValue, type PartitionValue } from './partition-values.ts'
import type { DeltaType } from '../schema.ts'
import { jsonStringText } from '../stats.ts'

/** Range of the values of a column in one file; a missing bound is unknown. */
export type ValueBounds<V> = {
  readonly low: V | undefined
  readonly high: V | undefined
  /** Values may exceed `high`: it is the beginning of a longer text, or NaN sorts above it. */
  readonly beyond?: 'prefix' | 'nan'
}

/** A literal converted to the column's type: one value, or a range if rounding makes the value uncertain. */
export type LiteralPoint<V> = { readonly low: V; readonly high: V }

export type Domain<V> = {
  compare(a: V, b: V): number
  /** The literal in the type of the column; null if it cannot be compared with the type. */
  literal(value: LiteralValue): LiteralPoint<V> | null
  /** Bounds of a partition value, which is never `any` or `null`; null if nothing is known. */
  partition(value: PartitionValue): ValueBounds<V> | null
  /** Bounds from the texts of min and max in the stats. */
  stats(min: string | undefined, max: string | undefined): ValueBounds<V>
  /** Needed for a type whose bounds have `beyond: 'prefix'`. */
  startsWith?(value: V, start: V): boolean
}

const NO_BOUNDS: ValueBounds<never> = { low: undefined, high: undefined }

/** Plain text of a piece of JSON, quoted or not. */
export function bareText(piece: string): string {
  return jsonStringText(piece) ?? piece
}

/** A literal of exactly this value; null for null. */
export function point<V>(value: V | null): LiteralPoint<V> | null {
  return value === null ? null : { low: value, high: value }
}

/** The text of a literal of one of these kinds; null for other kinds. */
export function literalText(value: LiteralValue, ...kinds: readonly LiteralValue['kind'][]): string | null {
  return kinds.includes(value.kind) && 'text' in value ? value.text : null
}

export function compareOrdered(a: number | bigint, b: number | bigint): number {
  return a < b ? -1 : a > b ? 1 : 0
}

// Rank of a UTF-16 unit in the order of code points. Delta orders text by UTF-8 bytes, which gives the same order;
// JavaScript's < compares UTF-16 units.

function unitRank(unit: number): number {
  if (unit < 0xd800) return unit
  return unit >= 0xe000 ? unit - 0x800 : unit + 0x2000
}

/** Compares two texts in the order of code points. */
export function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const left = a.charCodeAt(i)
    const right = b.charCodeAt(i)
    if (left !== right) return unitRank(left) - unitRank(right)
  }
  return a.length - b.length
}

const CUT_MARKS: ReadonlySet<number> = new Set([0x3f, 0x7f, 0x7fff, 0xfffd, 0xffff])

/**
 * A max without the marks that writers append when they truncate it: their highest character, or a character that
 * replaces a lone surrogate. The remaining text bounds all values that start with it, even if the mark was part of the
 * value.
 */
function withoutCutMarks(text: string): string {
  let end = text.length
  for (; end > 0; end--) {
    const unit = text.charCodeAt(end - 1)
    if (CUT_MARKS.has(unit) || (unit >= 0xd800 && unit < 0xdc00)) continue
    if (unit < 0xdc00 || unit >= 0xe000) break
    const before = text.charCodeAt(end - 2)
    const isPair = before >= 0xd800 && before < 0xdc00
    if (isPair && text.codePointAt(end - 2) !== 0x10ffff) break
    if (isPair) end--
  }
  return text.slice(0, end)
}

function cutHigh(max: string | undefined): string | undefined {
  const text = max === undefined ? null : jsonStringText(max)
  return text === null ? undefined : withoutCutMarks(text)
}

export const stringDomain: Domain<string> = {
  compare: compareCodePoints,
  literal: (value) => point(literalText(value, 'string')),
  partition: (value) => (value.kind === 'string' ? { low: value.value, high: value.value } : null),
  stats: (min, max) => ({
    low: min === undefined ? undefined : (jsonStringText(min) ?? undefined),
    high: cutHigh(max),
    beyond: 'prefix',
  }),
  startsWith: (value, start) => value.startsWith(start),
}

/** A collation has its own order and equality, so its bounds cannot be used here. */
export const collatedDomain: Domain<string> = { ...stringDomain, partition: () => null, stats: () => NO_BOUNDS }

export const dateDomain: Domain<number> = {
  compare: compareOrdered,
  literal(value) {
    const text = literalText(value, 'string', 'date')
    return text === null ? null : point(parseDate(text))
  },
  partition: (value) => (value.kind === 'date' ? { low: value.days, high: value.days } : null),
  stats: (min, max) => ({
    low: min === undefined ? undefined : (parseDate(bareText(min)) ?? undefined),
    high: max === undefined ? undefined : (parseDate(bareText(max)) ?? undefined),
  }),
}

/**
 * Stats are truncated to ms: the true max is up to 999 µs higher, and up to 1970 the true min is up to 999 µs lower.
 */
const CUT_MICROS = 999n
const TOO_FINE = /\.\d{7}/

/** `isInstant`: true for `timestamp`, whose literals without a zone are UTC; literals of `timestamp_ntz` have none. */
export function timestampDomain(isInstant: boolean): Domain<bigint> {
  const type: DeltaType = { kind: 'primitive', name: isInstant ? 'timestamp' : 'timestamp_ntz' }
  const parse = (piece: string | undefined): LiteralPoint<bigint> | null => {
    const value = piece === undefined ? null : parsePartitionValue(bareText(piece), type)
    return value?.kind === 'timestamp' ? value : null
  }
  return {
    compare: compareOrdered,
    literal(value) {
      const text = literalText(value, 'string', 'date', 'timestamp')
      if (text === null || TOO_FINE.test(text)) return null
      const parsed = parseTimestamp(text)
      return parsed === null || (parsed.zoned && !isInstant) ? null : point(parsed.micros)
    },
    partition: (value) => (value.kind === 'timestamp' ? value : null),
    stats(min, max) {
      const low = parse(min)?.low
      const high = parse(max)?.high
      return {
        low: low !== undefined && low <= 0n ? low - CUT_MICROS : low,
        high: high === undefined ? undefined : high + CUT_MICROS,
      }
    },
  }
}

export const booleanDomain: Domain<number> = {
  compare: compareOrdered,
  literal(value) {
    if (value.kind === 'boolean') return point(Number(value.value))
    const text = literalText(value, 'string')?.toLowerCase()
    return text === 'true' || text === 'false' ? point(Number(text === 'true')) : null
  },
  partition(value) {
    const flag = value.kind === 'boolean' ? Number(value.value) : null
    return flag === null ? null : { low: flag, high: flag }
  },
  stats: (min, max) => ({ low: min === 'true' ? 1 : 0, high: max === 'false' ? 0 : 1 }),
}

export const binaryDomain: Domain<Buffer> = {
  compare: (a, b) => Buffer.compare(a, b),
  literal(value) {
    const text = literalText(value, 'string')
    return text === null ? null : point(Buffer.from(text))
  },
  partition: (value) => (value.kind === 'binary' ? { low: value.bytes, high: value.bytes } : null),
  stats: () => NO_BOUNDS,
}
