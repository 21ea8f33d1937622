/** Columns in a SELECT, and conversion of the driver's values to canonical form. */
import { isUtf8 } from 'node:buffer'
import { isPlainType, normalizer } from '../../../model/copy/canonical.ts'
import type { Column, ColumnType } from '../../../model/copy/column-type.ts'
import { isEnum, isMembered, membersOf, zeroText } from '../../../model/copy/members.ts'
import { refusedValue } from '../../../model/copy/refused.ts'
import type { Cell } from '../../../model/copy/rows.ts'
import type { SqlValue } from '../../../model/run/sql-port.ts'
import { validText } from '../broken-text.ts'
import { quoted } from './names.ts'
import { isDated } from './printed-days.ts'
import { baseTypeName, isOpaque, isText } from './types.ts'

/** Types that are read as the server prints them: faster than by the driver, and exact for large numbers too. */
const PRINTED = new Set(['date', 'time', 'datetime', 'timestamp', 'decimal', 'bigint', 'uuid', 'inet4', 'inet6'])

/** Names of columns that the driver refuses: it ends the connection. */
const REFUSED = /"(__(?:proto|(?:define|lookup)[GS]etter)__)"$/

/** A column in the list of a SELECT, under another name if the driver refuses its own. */
export function withAcceptedName(expression: string): string {
  const own = REFUSED.exec(expression)?.[1]
  return own === undefined ? expression : `${expression} AS ${quoted(`value of ${own}`)}`
}

/** The expression that selects a column. @param name the quoted name of the column */
export function mysqlSelection(name: string, column: Column, as: ColumnType = column.type): string {
  return withAcceptedName(valueSql(name, column, as))
}

function valueSql(name: string, column: Column, as: ColumnType): string {
  const base = baseTypeName(column.native)
  if (PRINTED.has(base)) return `CAST(${name} AS CHAR)`
  if (base === 'bit') return `CAST(${name} + 0 AS CHAR)`
  if (isOpaque(base)) return `HEX(${name})`
  if (mayHaveInvalidBytes(column)) return utf8OrStoredBytes(name)
  // A text column with the values of another system's enum has no member numbers.
  return isMembered(column.native) ? enumMemberSql(name, as) : name
}

/**
 * True for a column whose character set allows bytes that are not a valid character; the server prints `?` for them.
 */
export function mayHaveInvalidBytes({ native, collation }: Column): boolean {
  return collation !== undefined && isText(baseTypeName(native)) && !/^(?:utf8|utf16|utf32|ucs2|latin1)/.test(collation)
}

/**
 * SQL that is true for a text with invalid bytes: the conversion to utf8mb4 replaces each by `?`. @param name quoted
 */
export function isBroken(name: string): string {
  const marks = (text: string, length: string): string => `${length}(${text}) - ${length}(REPLACE(${text}, '?', ''))`
  return `${marks(`CONVERT(${name} USING utf8mb4) COLLATE utf8mb4_bin`, 'CHAR_LENGTH')} <> ${marks(`CAST(${name} AS BINARY)`, 'LENGTH')}`
}

/** SQL for the UTF-8 bytes of a text. If some bytes are invalid: byte FF (never in UTF-8), then the stored bytes. */
function utf8OrStoredBytes(name: string): string {
  return `IF(${isBroken(name)}, CONCAT(X'FF', CAST(${name} AS BINARY)), CAST(CONVERT(${name} USING utf8mb4) AS BINARY))`
}

/**
 * SQL for the text of a member; number 0 gets its own text, because the server would print the empty member's text.
 * @param as the enum or set that the text is read as; for other types, `name` is returned unchanged
 */
export function enumMemberSql(name: string, as: ColumnType): string {
  if (as.kind !== 'native' || !isMembered(as.name)) return name
  const members = membersOf(as.name)
  const zero = zeroText(members)
  if (zero === '') return name
  return `IF(${name} + 0 = 0, '${zero}', ${isEnum(as.name) ? name : withEmptyMember(name, members.indexOf(''))})`
}

/**
 * SQL for the text of a set with its empty member, which the server does not print. The other members are as the server
 * prints them: its dictionary has '?' for each character of four bytes.
 * @param place of the empty member, from 0
 */
function withEmptyMember(name: string, place: number): string {
  const bit = 2n ** BigInt(place)
  const before = `BIT_COUNT((${name} + 0) & ${bit - 1n})`
  const after = `BIT_COUNT((${name} + 0) >> ${place + 1})`
  const parts = [
    `IF(${before} = 0, NULL, SUBSTRING_INDEX(${name}, ',', ${before}))`,
    `''`,
    `IF(${after} = 0, NULL, SUBSTRING_INDEX(${name}, ',', -${after}))`,
  ]
  return `IF((${name} + 0) & ${bit}, CONCAT_WS(',', ${parts.join(', ')}), ${name})`
}

/** The text from the bytes that `utf8OrStoredBytes` selects; the stored bytes if some of them are invalid. */
export function textOrStoredBytes(value: SqlValue): SqlValue {
  if (!(value instanceof Uint8Array)) return value
  return isUtf8(value) ? Buffer.from(value).toString('utf8') : value.subarray(1)
}

/** @param value as the driver returns it; for a column that `mayHaveInvalidBytes`, as `textOrStoredBytes` returns it */
export type MysqlCellReader = (value: SqlValue) => Cell

/** @throws (the function) SluiceError VALUE_REFUSED for a value that is not of the type */
export function mysqlCellReader(as: ColumnType, column: Column): MysqlCellReader {
  const normalize = normalizer(as)
  const isPlain = isPlainType(as)
  if (isText(baseTypeName(column.native))) {
    return (value) => (value === null || (isPlain && typeof value === 'string') ? value : normalize(validText(value)))
  }
  if (isDated(column.native) && (as.kind === 'date' || as.kind === 'timestamp')) {
    return (value) => (value === null ? null : normalize(realDate(value)))
  }
  if (!isPlain) return (value) => (value === null ? null : normalize(value))
  return (value) => (value === null || typeof value === 'string' ? value : normalize(value))
}

/** Refuses dates such as `0000-00-00` and `2024-05-00`, which no other system has. */
function realDate(value: Exclude<SqlValue, null>): Exclude<SqlValue, null> {
  if (typeof value === 'string' && (value.startsWith('-00', 4) || value.startsWith('-00', 7))) {
    throw refusedValue('a date of the calendar', value)
  }
  return value
}

/** SQL for a column of integers in comparisons. A YEAR would read 1 as 2001 and 70 as 1970. @param name quoted */
export function wholeNumber(name: string, { native }: Column): string {
  return baseTypeName(native) === 'year' ? `(${name} + 0)` : name
}
