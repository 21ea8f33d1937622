/** Key ranges in the SQL of MySQL, written so that the key's index finds them even at the end of a table. */
import { isEnum, isMembered, memberNumber, membersOf } from '../../../model/copy/members.ts'
import { bytesOfText } from '../../../model/copy/bytes-text.ts'
import type { Column, TableSpec } from '../../../model/copy/column-type.ts'
import { date, canonicalInstant, time } from '../../../model/copy/canonical-time.ts'
import { EVERY_KEY, type KeyBound, type Range } from '../../../model/copy/range.ts'
import { SluiceError } from '../../../shared/errors.ts'
import {
  cutByBounds,
  cutByKey,
  keyColumns,
  keyOrder,
  lastKey,
  rangeCondition,
  type SqlCondition,
  type KeyDialect,
} from '../../common/key-ranges.ts'
import type { SqlRow, SqlValue } from '../../../model/run/sql-port.ts'
import { withAcceptedName, enumMemberSql } from './cells.ts'
import { isNull, quoted, mysqlTableSql } from './names.ts'
import { baseTypeName, isOpaque, isWholeType } from './types.ts'

export const KEYS: KeyDialect = {
  quote: quoted,
  isNull,
  from: ({ table }) => mysqlTableSql(table),
  bound,
  value,
  text,
}

type Ask = (sql: string, parameters: SqlRow) => Promise<readonly SqlRow[]>

/** True if ranges can use the values of a column, in the order of its index. */
export function isSortable({ native }: Column): boolean {
  const base = baseTypeName(native)
  return base !== 'float' && base !== 'double' && base !== 'json' && !isOpaque(base)
}

/** True for enums and sets: they sort by their numbers, and the index finds single values of them, not ranges. */
function isNumbered({ native }: Column): boolean {
  return isMembered(native)
}

/** True for one plain column, for which `rangeCondition` is enough. */
function isSimple(table: TableSpec): boolean {
  return table.key.length < 2 && !keyColumns(table).some(isNumbered)
}

/** As `rangeCondition`, but compares a key column by column, because the server uses no index for row values. */
export function mysqlRangeCondition(table: TableSpec, range: Range, where: string | null): SqlCondition {
  if (range.by === 'key' && table.key.length === 0 && (range.after ?? range.through) !== null) {
    throw new Error(`${table.table.name} has no key for ranges`)
  }
  if (range.by === 'keys') return rangeCondition(table, range, where, { ...KEYS, value: equalValue })
  if (range.by !== 'key' || isSimple(table)) return rangeCondition(table, range, where, KEYS)
  const rest = rangeCondition(table, EVERY_KEY, where, KEYS)
  const columns = keyColumns(table)
  const sides = [
    ...(range.after === null ? [] : [side(columns, range.after, '>', '>')]),
    ...(range.through === null ? [] : [side(columns, range.through, '<', '<=')]),
  ]
  return {
    sql: [...sides.map(({ sql }) => sql), rest.sql].join(' AND '),
    parameters: [...sides.flatMap(({ parameters }) => parameters), ...rest.parameters],
  }
}

/** Key columns as a list for ORDER BY: `"a", "b"`. */
export function mysqlKeyOrder(table: TableSpec): string {
  return keyOrder(table, KEYS)
}

/** As `cutByKey`. @throws SluiceError UNSUPPORTED_KEY */
export async function* cutMysqlKeys(
  table: TableSpec,
  within: Range & { readonly by: 'key' },
  where: string | null,
  rows: number,
  ask: Ask,
): AsyncGenerator<Range> {
  refuseUnsortable(table)
  if (isSimple(table)) {
    yield* cutByKey(table, within, where, rows, table.rows, KEYS, ask)
    return
  }
  yield* cutByBounds(table, within, (rest) =>
    keyAt(table, rest, where, `ORDER BY ${mysqlKeyOrder(table)} LIMIT 1 OFFSET ${rows - 1}`, ask),
  )
}

/** As `lastKey`. */
export async function lastOf(table: TableSpec, range: Range, where: string | null, ask: Ask): Promise<KeyBound | null> {
  if (isSimple(table)) return await lastKey(table, range, where, KEYS, ask)
  return await keyAt(table, range, where, `ORDER BY ${keyOrder(table, KEYS, ' DESC')} LIMIT 1`, ask)
}

async function keyAt(
  table: TableSpec,
  range: Range,
  where: string | null,
  tail: string,
  ask: Ask,
): Promise<KeyBound | null> {
  const { sql, parameters } = mysqlRangeCondition(table, range, where)
  const columns = keyColumns(table).map(text).join(', ')
  const [row] = await ask(`SELECT ${columns} FROM ${mysqlTableSql(table.table)} WHERE ${sql} ${tail}`, parameters)
  return row === undefined ? null : row.map(String)
}

function refuseUnsortable(table: TableSpec): void {
  for (const column of keyColumns(table)) {
    if (isSortable(column)) continue
    throw new SluiceError('UNSUPPORTED_KEY', `${column.name} (${column.native}) cannot be divided into ranges`, {
      where: table.table.name,
      reason: 'its values sort differently from how they compare',
      hint: 'name other unique columns with --key',
    })
  }
}

/** `(a > ? OR (a = ? AND (b > ? OR (b = ? AND c > ?))))`, which the server reads as ranges of the index. */
function side(columns: readonly Column[], edge: KeyBound, beyond: '>' | '<', last: '>' | '<='): SqlCondition {
  const [column, ...others] = columns
  const [first, ...rest] = edge
  if (column === undefined || first === undefined) throw new Error('a bound has fewer values than the key has columns')
  const name = quoted(column.name)
  const mark = bound(column)
  const parameter = value(column, first)
  const far = sideOutside(column, first)
  // No row can have this time, so further key columns do not matter.
  if (far !== null) return { sql: (far === 'above') === (beyond === '<') ? '1 = 1' : '1 = 0', parameters: [] }
  const past = isNumbered(column)
    ? numbered(column, first, beyond)
    : { sql: `${name} ${beyond} ${mark}`, parameters: [parameter] }
  const equal = { sql: `${name} = ${mark}`, parameters: [parameter] }
  if (others.length === 0) {
    if (!isNumbered(column)) return { sql: `${name} ${last} ${mark}`, parameters: [parameter] }
    return last === beyond
      ? past
      : { sql: `(${past.sql} OR ${equal.sql})`, parameters: [...past.parameters, ...equal.parameters] }
  }
  const inner = side(others, rest, beyond, last)
  return {
    sql: `(${past.sql} OR (${equal.sql} AND ${inner.sql}))`,
    parameters: [...past.parameters, ...equal.parameters, ...inner.parameters],
  }
}

/**
 * Condition for the values of an enum or a set before or after `edge`, by their numbers. For an enum, the condition
 * lists the values: the server reads the list as ranges of the index. A set has too many values to list.
 */
function numbered({ name, native }: Column, edge: string, beyond: '>' | '<'): SqlCondition {
  const number = memberNumber(native, edge)
  if (number === null) {
    throw new SluiceError(
      'UNSUPPORTED_KEY',
      `the type of column ${name} no longer has the member ${edge}, which is the bound of a key range`,
      {
        hint: 'begin again with --restart',
      },
    )
  }
  if (!isEnum(native)) return { sql: `${quoted(name)} + 0 ${beyond} ?`, parameters: [number] }
  // Number 0 is the error value of an enum: a server without strict mode stores it for an invalid value.
  const all = [0n, ...membersOf(native).map((_, at) => BigInt(at + 1))]
  const some = all.filter((one) => (beyond === '>' ? one > number : one < number))
  if (some.length === 0) return { sql: '1 = 0', parameters: [] }
  return { sql: `${quoted(name)} IN (${some.map(() => '?').join(', ')})`, parameters: some }
}

function bound({ native, type }: Column): string {
  switch (baseTypeName(native)) {
    case 'decimal':
      return type.kind === 'decimal' ? `CAST(? AS DECIMAL(${type.precision ?? 65}, ${type.scale ?? 0}))` : '?'
    case 'date':
      return 'CAST(? AS DATE)'
    case 'time':
      return 'CAST(? AS TIME(6))'
    case 'datetime':
    case 'timestamp':
      return 'CAST(? AS DATETIME(6))'
    default:
      return '?'
  }
}

/**
 * Parameter for equality with this key value. NULL, which equals nothing, for a time that no row can have, such as
 * `infinity` in a bound.
 */
export function equalValue(column: Column, given: string): SqlValue {
  return sideOutside(column, given) === null ? value(column, given) : null
}

const WHOLE = /^-?\d+$/

/** Numbers are sent as numbers: a text would be compared with a numeric column as floating point numbers. */
function value(column: Column, given: string): SqlValue {
  const { native } = column
  // Null for a text that is no member: no row has it, and nothing equals NULL.
  if (isMembered(native)) return memberNumber(native, given)
  const base = baseTypeName(native)
  if ((isWholeType(base) || base === 'bit') && WHOLE.test(given)) return BigInt(given)
  switch (base) {
    case 'binary':
    case 'varbinary':
    case 'tinyblob':
    case 'blob':
    case 'mediumblob':
    case 'longblob':
      return bytesOfText(given)
    case 'date':
      return clampedTime(column, date(given))
    case 'datetime':
    case 'timestamp':
      return clampedTime(column, canonicalInstant(given, true))
    case 'time':
      return time(given)
    default:
      return given
  }
}

const TIMES: ReadonlySet<string> = new Set(['date', 'datetime', 'timestamp'])
/** First and last time that sort as in other systems. */
const LOWEST = '0000-01-01 00:00:00'
const HIGHEST = '9999-12-31 23:59:59.999999'

/**
 * `below` or `above` for a time that no row of MySQL can have: before the year 1 or after 9999; null for other times.
 */
function sideOutside({ native }: Column, given: string): 'below' | 'above' | null {
  if (!TIMES.has(baseTypeName(native))) return null
  if (/^-infinity$|BC\)?$/i.test(given)) return 'below'
  return /^infinity$|^\d{5}/i.test(given) ? 'above' : null
}

/** Moves a bound into the range of times that the server can compare. */
function clampedTime(column: Column, canonical: string): string {
  const far = sideOutside(column, canonical)
  if (far === null) return canonical
  const edge = far === 'below' ? LOWEST : HIGHEST
  return baseTypeName(column.native) === 'date' ? edge.slice(0, 10) : edge
}

function text({ name, native, type }: Column): string {
  const column = quoted(name)
  if (isMembered(native)) return `CAST(${enumMemberSql(column, type)} AS CHAR)`
  const base = baseTypeName(native)
  if (base === 'bit' || base === 'year') return `CAST(${column} + 0 AS CHAR)`
  if (base === 'binary' || base === 'varbinary' || base.endsWith('blob')) return `CONCAT('\\x', LOWER(HEX(${column})))`
  const isText = base === 'char' || base === 'varchar' || base.endsWith('text')
  return isText ? withAcceptedName(column) : `CAST(${column} AS CHAR)`
}
