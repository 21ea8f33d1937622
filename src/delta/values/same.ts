/**
 * Decides whether two texts mean the same value of a column, such as a statistic in a commit and in a checkpoint's
 * struct, or a partition value spelled by two writers.
 */
import { compareExact, parseExactNumber } from '../../model/run/exact-number.ts'
import { parseTimestamp } from '../../model/lake/instant.ts'
import type { DeltaType, Field, LeafColumn } from '../schema.ts'
import { jsonStringText, statsReader } from '../stats.ts'
import { bareText } from './domains.ts'
import { parseDouble, parsePartitionValue, type PartitionValue } from './partition-values.ts'
import { hasBeenFloat, kindOf } from './typed.ts'

/** Two texts that mean different values; `what` names the fact: `minValues.id`, `partition value p`. */
export type DifferentValues = {
  readonly column: string
  readonly what: string
  readonly one: string
  readonly other: string
}

/** Significant digits that identify every double. */
const DIGITS_OF_DOUBLE = 17
const MICROS_OF_MS = 1000n

/** Differences of two statistics of one file; null if one of them is not a JSON object. */
export type StatsComparer = (one: string, other: string) => readonly DifferentValues[] | null

/**
 * How to compare a fact that only one of the two texts has. `same`: it is no difference. `apart`: it is a difference.
 * `kept`: it is a difference only if the second text lacks it.
 */
export type MissingFacts = 'same' | 'apart' | 'kept'

/** Compares statistics of a file by column types. */
export function statsComparer(columns: readonly LeafColumn[], missing: MissingFacts = 'same'): StatsComparer {
  const paths = columns.map(({ physicalPath }) => physicalPath)
  const [left, right] = [statsReader(paths), statsReader(paths)]
  return (oneText, otherText) => {
    if (oneText === otherText) return []
    const [one, other] = [left.read(oneText), right.read(otherText)]
    if (one === null || other === null) return null
    const apart: DifferentValues[] = []
    const compare = (column: string, what: string, a: string | undefined, b: string | undefined, same: Same): void => {
      const mayMiss = missing === 'same' || (missing === 'kept' && a === undefined)
      const isSame = a === undefined || b === undefined ? mayMiss || a === b : same(a, b)
      if (!isSame) apart.push({ column, what, one: a ?? 'missing', other: b ?? 'missing' })
    }
    compare('', 'numRecords', one.numRecords, other.numRecords, isSameCount)
    for (const [i, { field, physicalPath }] of columns.entries()) {
      const name = physicalPath.join('.')
      const same: Same = (a, b) => isSamePiece(a, b, field)
      compare(name, `minValues.${name}`, one.min[i], other.min[i], same)
      compare(name, `maxValues.${name}`, one.max[i], other.max[i], same)
      compare(name, `nullCount.${name}`, one.nulls[i], other.nulls[i], isSameCount)
    }
    return apart
  }
}

type Same = (a: string, b: string) => boolean

function isSameCount(a: string, b: string): boolean {
  return a === b || Number(a) === Number(b)
}

/** True if two bounds in JSON mean the same value of a column. */
function isSamePiece(a: string, b: string, field: Field): boolean {
  if (a === b) return true
  const [left, right] = [bareText(a), bareText(b)]
  switch (kindOf(field.type)) {
    case 'byte':
    case 'short':
    case 'integer':
    case 'long':
      return isSameNumber(left, right)
    case 'decimal':
      return isSameNumber(left, right) || isSameByDouble(left, right)
    case 'float':
    case 'double':
      return isSameDouble(parseDouble(left), parseDouble(right), hasBeenFloat(field))
    case 'timestamp':
    case 'timestamp_ntz':
      return isSameInstant(left, right)
    case 'boolean':
      return left.toLowerCase() === right.toLowerCase()
    case 'date':
      return isSamePartitionValue(left, right, field.type)
    default:
      return jsonStringText(a) !== null && jsonStringText(a) === jsonStringText(b)
  }
}

function isSameNumber(a: string, b: string): boolean {
  const [left, right] = [parseExactNumber(a), parseExactNumber(b)]
  return left !== null && right !== null && compareExact(left, right) === 0
}

/** True if both decimals are the same double: some writers convert decimals to double, which keeps 17 digits. */
function isSameByDouble(a: string, b: string): boolean {
  return Math.min(digitsOf(a), digitsOf(b)) <= DIGITS_OF_DOUBLE && Number(a) === Number(b)
}

function digitsOf(number: string): number {
  const digits = number.replace(/[eE].*$/, '').replaceAll(/\D/g, '')
  return digits.replace(/^0+/, '').replace(/0+$/, '').length
}

function isSameDouble(a: number | null, b: number | null, isFloat: boolean): boolean {
  if (a === null || b === null) return false
  // 0 and -0 are equal here, and NaN equals NaN.
  return a === b || (Number.isNaN(a) && Number.isNaN(b)) || (isFloat && Math.fround(a) === Math.fround(b))
}

/**
 * True if two times are equal to the millisecond: writers cut times to milliseconds in JSON, and may keep microseconds
 * in a struct.
 */
function isSameInstant(a: string, b: string): boolean {
  const [left, right] = [parseTimestamp(a), parseTimestamp(b)]
  if (left === null || right === null) return a === b
  // A truncated time is the earlier millisecond, also before 1970. Some writers divide, which rounds towards 1970.
  return floorMs(left.micros) === floorMs(right.micros) || left.micros / MICROS_OF_MS === right.micros / MICROS_OF_MS
}

function floorMs(micros: bigint): bigint {
  return micros / MICROS_OF_MS - (micros % MICROS_OF_MS < 0n ? 1n : 0n)
}

/**
 * True if two partition values mean the same: null and the empty text are equal, and so are spellings of one number or
 * time.
 */
export function isSamePartitionValue(a: string | null, b: string | null, type: DeltaType): boolean {
  if (a === b) return true
  const [left, right] = [parsePartitionValue(a, type), parsePartitionValue(b, type)]
  return left.kind === right.kind && isSameValue(left, right, type)
}

function isSameValue(left: PartitionValue, right: PartitionValue, type: DeltaType): boolean {
  switch (left.kind) {
    case 'null':
      return true
    case 'any':
      return false
    case 'exact':
      return right.kind === 'exact' && compareExact(left.value, right.value) === 0
    case 'float':
      return right.kind === 'float' && isSameDouble(left.value, right.value, kindOf(type) === 'float')
    case 'date':
      return right.kind === 'date' && left.days === right.days
    case 'timestamp': {
      if (right.kind !== 'timestamp') return false
      // A text without its zone has two bounds; two such texts are compared exactly.
      const isOpen = left.high !== left.low
      if (isOpen === (right.high !== right.low)) return left.low === right.low
      return left.low <= right.high && right.low <= left.high
    }
    case 'binary':
      return right.kind === 'binary' && left.bytes.equals(right.bytes)
    default:
      return 'value' in right && left.value === right.value
  }
}

export type PartitionMap = Readonly<Record<string, string | null>>

/**
 * @returns differences of the two maps, and keys that only one map has. Values of unknown columns are compared as text.
 */
export function partitionDifferences(
  fields: readonly Field[],
  one: PartitionMap,
  other: PartitionMap,
): readonly DifferentValues[] {
  const types = new Map(fields.map(({ physicalName, type }) => [physicalName, type]))
  const names = new Set([...Object.keys(one), ...Object.keys(other)])
  return [...names].flatMap((name) => {
    const [a, b] = [valueAt(one, name), valueAt(other, name)]
    const type = types.get(name)
    const isSame = a === undefined || b === undefined || type === undefined ? a === b : isSamePartitionValue(a, b, type)
    if (isSame) return []
    return [{ column: name, what: `partition value ${name}`, one: shown(a), other: shown(b) }]
  })
}

function valueAt(map: PartitionMap, name: string): string | null | undefined {
  return Object.hasOwn(map, name) ? map[name] : undefined
}

function shown(value: string | null | undefined): string {
  return value === undefined ? 'missing' : JSON.stringify(value)
}
