/** Tables, keys and conditions in PostgreSQL's SQL. Values are literals, because COPY takes no parameters. */
import { randomUUID } from 'node:crypto'
import type { Column, ColumnType, TableName, TableSpec } from '../../../model/copy/column-type.ts'
import type { Range } from '../../../model/copy/range.ts'
import type { RowKey } from '../../../model/copy/row-key.ts'
import { sideOfLimits, wholeLimits, type Limits, type BoundSide } from '../../common/type-limits.ts'
import { keyColumns, rangeCondition, type KeyDialect } from '../../common/key-ranges.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import { INVISIBLE } from '../../../shared/visible.ts'
import { arrayText } from './array-text.ts'
import { quoteName } from './connect.ts'
import { arrayLiteral, arrayElements } from './array-literal.ts'

/** Placeholder of a bound: a random text that a user's condition cannot contain. `?` is an operator of PostgreSQL. */
const BOUND = `:${randomUUID()}:`

/** A type that sorts by its byte, not as text: it has no collation. */
const CHAR = '"char"'

const TEXT = quoteName(`text ${randomUUID()}`)

/** Maximum number of bytes of a name; the server truncates longer names, and only sends a notice. */
export const MOST_NAME_BYTES = 63

/** `only`: without rows of tables that inherit from this one. */
export type FromRelation = { readonly name: TableName; readonly only: boolean }

/** A string literal for any text; sessions have `standard_conforming_strings` on. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

const QUOTED = /E'((?:[^'\\]|''|\\[^])*)'|'((?:[^']|'')*)'|"((?:[^"]|"")*)"/g

/** A statement whose texts and names have escapes for invisible characters, so that it can be printed as one line. */
export function printableSql(sql: string): string {
  return sql.replaceAll(QUOTED, (whole: string, escaped?: string, plain?: string, name?: string) => {
    if (!whole.match(INVISIBLE)) return whole
    if (name !== undefined)
      return `U&"${name.replaceAll('\\', '\\\\').replaceAll(INVISIBLE, (one) => `\\+${codeOf(one, 6)}`)}"`
    const text = escaped ?? (plain ?? '').replaceAll('\\', '\\\\')
    return `E'${text.replaceAll(INVISIBLE, (one) => `\\U${codeOf(one, 8)}`)}'`
  })
}

function codeOf(character: string, digits: number): string {
  return (character.codePointAt(0) ?? 0).toString(16).padStart(digits, '0')
}

export function tableSql({ schema, name }: TableName): string {
  return schema === undefined ? quoteName(name) : `${quoteName(schema)}.${quoteName(name)}`
}

/** The table in a FROM clause. */
export function tableFromSql({ name, only }: FromRelation): string {
  return `${only ? 'ONLY ' : ''}${tableSql(name)}`
}

export function columnList(names: readonly string[]): string {
  return names.map(quoteName).join(', ')
}

/** SQL of key ranges. The statements contain placeholders that `filled` replaces. */
export function keyDialect(relation: FromRelation): KeyDialect {
  return {
    quote: quoteName,
    from: () => tableFromSql(relation),
    bound: boundOf,
    value: keyValue,
    // The alias differs from the column's name: otherwise ORDER BY the column would sort by this text.
    text: (column) => `${quoteName(column.name)}::text AS ${TEXT}`,
    // No text of the server contains U+0000. So the text before it is the bound: all texts with this prefix sort after
    // it.
    below: (text) => (text.includes('\0') ? text.slice(0, text.indexOf('\0')) : null),
    beyond,
    operator: operatorSql,
  }
}

const DATES: Limits = ['4714-11-24 BC', '5874897-12-31']
const TIMES: Limits = ['4714-11-24 00:00:00 BC', '294276-12-31 23:59:59.999999']
/** Bounds are compared as 64-bit integers, whatever type of integer the column has. */
const WHOLE = wholeLimits(64, false)

const CLOCK: Limits = ['00:00:00', '24:00:00']
const LIMITS: Partial<Record<string, Limits>> = { int: WHOLE, date: DATES, time: CLOCK, timestamp: TIMES }

function beyond({ type }: Column, text: string): BoundSide | null {
  return sideOfLimits(type, text, LIMITS[type.kind] ?? null)
}

/**
 * A JSON array comes from another system, and is converted to an array literal. A text like `[0:1]={1,2}` is already
 * one: the server prints it for an array with a lower bound other than 1.
 */
function keyValue({ type }: Column, text: string): string {
  return type.kind === 'list' && /^\[.*\]$/s.test(text) ? arrayLiteral(text, arrayElements(type)) : text
}

/**
 * A subquery hides a constant of type "char" from the planner, which fails on it: its estimate needs a collation, and
 * the type has none.
 */
function boundOf(column: Column): string {
  const bound = `CAST(${BOUND} AS ${castOf(column)})`
  return column.native === CHAR ? `(SELECT ${bound})` : bound
}

/**
 * SQL of the operator `op` of pg_catalog for a comparison of columns. Another role may have planted such an operator
 * for varchar, a domain or an array in the search_path. Columns of types that are not built in need the search_path.
 */
export function operatorSql(op: string, columns: readonly Column[]): string {
  return columns.every(({ type }) => builtIn(type) !== null) ? `OPERATOR(pg_catalog.${op})` : op
}

/** As `operatorSql`: equality of a value and the column of this name. */
export function equalTo(columns: readonly Column[], name: string): string {
  return operatorSql(
    '=',
    columns.filter((one) => one.name === name),
  )
}

/** Replaces the bounds of a statement. */
export function filled(sql: string, parameters: SqlRow): string {
  const parts = sql.split(BOUND)
  if (parts.length !== parameters.length + 1) throw new Error('a statement has different numbers of bounds and values')
  return parts.reduce((text, part, i) => text + literal(String(parameters[i - 1])) + part)
}

/** SQL condition for rows of a range that meet a user's condition. */
export function rangeSql(table: TableSpec, relation: FromRelation, range: Range, where: string | null): string {
  const { sql, parameters } = rangeCondition(table, range, where, keyDialect(relation))
  const condition = filled(sql, parameters)
  if (range.by !== 'block') return condition
  const to = range.to === null ? '' : ` AND ctid < '(${range.to},0)'::tid`
  return `ctid >= '(${range.from},0)'::tid${to} AND ${condition}`
}

/**
 * Condition for rows with one of these keys. The keys are in a subquery, which the server joins. It would evaluate a
 * list of thousands of comparisons for every row. Texts are compared by bytes, too: where a collation takes several
 * spellings for one key, each may be a row of its own.
 * @param keys without NULL values, because a list cannot find these
 */
export function amongSql(table: TableSpec, keys: readonly RowKey[]): string {
  const columns = keyColumns(table)
  const held = keys.filter((key) => columns.every((column, at) => beyond(column, key[at] ?? '') === null))
  const lists = columns.map((column, at) => {
    const texts = held.map((key) => keyValue(column, key[at] ?? ''))
    return `${literal(arrayText(texts))}::text[]`
  })
  const values = columns.map((column, at) => `CAST(k.c${at} AS ${castOf(column)})`)
  const names = columns.map((_, at) => `c${at}`).join(', ')
  const rows = lists.map((list) => `pg_catalog.unnest(${list})`).join(', ')
  const loose = columns.flatMap(({ name, collation, sortsOnly }, at) =>
    collation !== undefined && sortsOnly !== true ? [{ name: `${quoteName(name)} COLLATE pg_catalog."C"`, at }] : [],
  )
  const compared = [columnList(table.key), ...loose.map(({ name }) => name)].join(', ')
  const wanted = [...values, ...loose.map(({ at }) => values[at])].join(', ')
  return `(${compared}) ${operatorSql('=', columns)} ANY (SELECT ${wanted} FROM ROWS FROM (${rows}) AS k(${names}))`
}

/** `ORDER BY` the key, if any. The columns are qualified, because a selected expression may have the same name. */
export function orderSql({ table, key }: TableSpec): string {
  return key.length === 0
    ? ''
    : ` ORDER BY ${key.map((name) => `${quoteName(table.name)}.${quoteName(name)}`).join(', ')}`
}

/**
 * Type in which a key column is compared; for a domain its base type, because a domain has no comparison of its own.
 */
function castOf({ type, native }: Column): string {
  return native === CHAR ? native : (builtIn(type) ?? native)
}

function builtIn(type: ColumnType): string | null {
  switch (type.kind) {
    case 'bool':
      return 'boolean'
    case 'int':
      // The bounds may come from a table with a wider integer type.
      return 'bigint'
    case 'decimal':
      return 'numeric'
    case 'float':
      return 'double precision'
    case 'text':
      return type.padded === true ? 'bpchar' : 'text'
    case 'bytes':
      return 'bytea'
    case 'uuid':
    case 'date':
    case 'time':
      return type.kind
    case 'timestamp':
      return type.zone ? 'timestamptz' : 'timestamp'
    case 'json':
    case 'list':
    case 'native':
      return null
  }
}

/** Makes deferred triggers and constraints run before rows are compared, not later at the commit. */
export const CONSTRAINTS_NOW = 'SET CONSTRAINTS ALL IMMEDIATE'
