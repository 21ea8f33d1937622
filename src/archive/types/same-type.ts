/** Compares two column types: whether one archive column can have both, and whether values of one fit the other. */
import type { Column, ColumnType } from '../../model/copy/column-type.ts'
import type { StoredColumn, StoredType } from '../../model/archive/stored-column.ts'
import { isEnum, isMembered, membersOf, zeroText } from '../../model/copy/members.ts'
import { travelsAs } from './rule.ts'

type Typed = Pick<StoredColumn, 'as' | 'stored'>
type Native = Typed & { readonly column: Pick<Column, 'native'> }

/** True if one column of the Delta table can store both types, and equal values have the same canonical text. */
export function isSameType(from: Typed, to: Typed): boolean {
  if (from.stored !== to.stored) return false
  const [a, b] = [from.as, to.as]
  if (a.kind === 'text' && b.kind === 'text') return a.padded === b.padded
  if (a.kind === 'timestamp' && b.kind === 'timestamp') return a.zone === b.zone && b.digits >= a.digits
  if (a.kind === 'time' && b.kind === 'time') return b.digits >= a.digits
  return JSON.stringify(a) === JSON.stringify(b)
}

/** Delta's integer types, by size. */
const WHOLE: readonly StoredType[] = ['byte', 'short', 'integer', 'long']

/** True if a field may change from the first type to the second without new files (PROTOCOL.md, "Type Widening"). */
export function isWidening(from: Typed, to: Typed): boolean {
  if (from.stored === to.stored || !isContained(from.as, to.as)) return false
  const [before, after] = [WHOLE.indexOf(from.stored), WHOLE.indexOf(to.stored)]
  if (before !== -1 && after !== -1) return after > before
  return from.stored.startsWith('decimal') && to.stored.startsWith('decimal')
}

/** MySQL types whose numbers are not printed as plain digits. */
const SPECIAL_PRINT = /zerofill|^(?:year|bit)/i
/** PostgreSQL arrays; their values keep their text in a larger type. */
const WHOLE_ARRAY = /^(?:smallint|integer|bigint)\[\]$/

/**
 * True if a query can show archived values of the first type in a column of the second: DuckDB converts each value as
 * the system does, even if the result prints differently (an integer as a decimal). False for conversions whose result
 * depends on how the system prints a value (an interval as text, json as jsonb): comparisons would miss such values.
 */
export function canShowAs(from: Native, to: Native): boolean {
  if (isContained(from.as, to.as)) return true
  const [a, b] = [from.as, to.as]
  if (b.kind === 'float') {
    if (a.kind === 'float') return b.bits >= a.bits
    return b.bits === 64 && (a.kind === 'decimal' || a.kind === 'int') && from.stored !== 'string'
  }
  if (b.kind === 'decimal' && to.stored !== 'string' && a.kind === 'int') {
    return (b.precision ?? 0) - (b.scale ?? 0) >= wholeDigits(a)
  }
  // Booleans of MySQL and SQLite are numbers. ALTER TABLE of PostgreSQL needs an expression to make numbers of its
  // booleans, and that expression is unknown here.
  if (b.kind === 'int' && a.kind === 'bool')
    return from.column.native !== 'boolean' || (b.bits === 64 && to.column.native !== 'bigint')
  if (b.kind === 'timestamp' && a.kind === 'date') return !b.zone
  // A numeric without a scale keeps the digits of each value.
  if (to.column.native === 'numeric') return a.kind === 'decimal' || a.kind === 'int'
  // The column has the same native type, but its values are now stored as the text that the source prints.
  if (b.kind === 'native' && from.column.native === to.column.native && a.kind !== 'native')
    return a.kind === 'int' || a.kind === 'decimal' || a.kind === 'date' || a.kind === 'text'
  if (a.kind === 'native' && b.kind === 'native') {
    return (WHOLE_ARRAY.test(a.name) && WHOLE_ARRAY.test(b.name)) || haveMembers(a.name, b.name)
  }
  return b.kind === 'text' && isTextOf(from, b)
}

/** True if the system converts each value of the first type to exactly the archived text. */
function isTextOf({ as, column }: Native, { padded }: ColumnType & { readonly kind: 'text' }): boolean {
  if (padded === true) return as.kind === 'text' && as.padded === true
  if (as.kind === 'int' || as.kind === 'decimal') return !SPECIAL_PRINT.test(column.native)
  if (as.kind === 'native') return isMembered(as.name) || /^numeric/i.test(as.name)
  return as.kind === 'text' || as.kind === 'date' || as.kind === 'uuid'
}

/** Digits of the largest integer with this many bits. */
function wholeDigits({ bits, unsigned }: ColumnType & { readonly kind: 'int' }): number {
  return (2n ** BigInt(unsigned === true ? bits : bits - 1)).toString().length
}

/**
 * The type in which archived values are transferred into a column that has another type now; null if they do not fit.
 * Each value becomes the value that ALTER TABLE makes of it, with the same canonical text: the proof of the files is
 * valid for the table.
 */
export function restoreType(from: StoredColumn, to: StoredColumn): ColumnType | null {
  const [a, b] = [travelsAs(from), travelsAs(to)]
  if (isContained(a, b)) return a
  if (a.kind === 'float' && b.kind === 'float') return b.bits >= a.bits ? b : null
  if (a.kind === 'text' && b.kind === 'text') return b.padded === true && a.padded !== true ? null : b
  // A number without a scale keeps its trailing zeros, so it is transferred as its system prints it.
  // So is one of more than 38 digits, which an archive stores as text.
  if (b.kind === 'native' && hasRoom(from.column.type, to.column.type)) return b
  if (a.kind === 'native' && b.kind === 'native')
    return isGrown(a.name, b.name) || (a.name === 'json' && b.name === 'jsonb') ? b : null
  return null
}

/** True if the second type takes every number of the first, and prints it with the same digits. */
function hasRoom(from: ColumnType, to: ColumnType): boolean {
  if (from.kind !== 'decimal' || to.kind !== 'decimal') return false
  return to.precision === undefined || (to.scale === from.scale && to.precision >= (from.precision ?? Infinity))
}

/** True for two MySQL enums, or two MySQL sets. */
function haveMembers(a: string, b: string): boolean {
  return isMembered(a) && isMembered(b) && isEnum(a) === isEnum(b)
}

/** A MySQL enum or set with members appended: texts and numbers of the old members do not change. */
function isGrown(from: string, to: string): boolean {
  if (!haveMembers(from, to)) return false
  const [before, after] = [membersOf(from), membersOf(to)]
  return before.every((name, i) => name === after[i]) && zeroText(before) === zeroText(after)
}

/** True if every value of the first type is a value of the second, with the same canonical text. */
export function isContained(from: ColumnType, to: ColumnType): boolean {
  if (from.kind === 'int' && to.kind === 'int') {
    if (from.unsigned === to.unsigned) return to.bits >= from.bits
    return from.unsigned === true && to.bits > from.bits
  }
  if (from.kind === 'decimal' && to.kind === 'decimal') {
    const { precision = 0, scale = 0 } = from
    return (to.scale ?? 0) >= scale && (to.precision ?? 0) - (to.scale ?? 0) >= precision - scale
  }
  return false
}
