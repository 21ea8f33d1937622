/** Columns and row key of a SQLite table, from its schema and its first rows. */
import { createHash } from 'node:crypto'
import { floatKeyOf, type Column, type ColumnType, type TableSpec } from '../../../model/copy/column-type.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import { closingBracket, maskedCode, nameAt } from '../definition-text.ts'
import { quote } from './ddl.ts'
import { ANY, exactOf, sortedAsOf, spelledOf, sqliteColumnType } from './types.ts'

const SAMPLED_ROWS = 1000

const ZONES = [
  '*[0-9][Zz]',
  '*:[0-9]*[+-][0-9][0-9]',
  '*:[0-9]*[+-][0-9][0-9]:[0-9][0-9]',
  '*:[0-9]*[+-][0-9][0-9][0-9][0-9]',
]

/** A row of `pragma_table_xinfo`. */
export type SqliteColumnInfo = {
  readonly name: string
  readonly type: string
  readonly notnull: number
  readonly dflt_value: string | null
  /** Position in the primary key, from 1; 0 outside of it. */
  readonly pk: number
  /** 1 for hidden columns of virtual tables, 2 or 3 for generated columns. */
  readonly hidden: number
}

/** A unique index on columns, not on expressions, and on all rows. */
export type UniqueIndex = {
  readonly origin: string
  readonly names: readonly string[]
  readonly collations: readonly string[]
}

/** As `TableSpec.identity`. @param sql its CREATE TABLE */
export function sqliteIdentity(name: string, sql: string): string {
  return `${name} ${createHash('sha256').update(sql).digest('hex').slice(0, 16)}`
}

/**
 * What constraints do with a row that violates them, if they declare it: `IGNORE`, `REPLACE` …; the default is ABORT.
 */
export function declaredConflicts(sql: string): readonly string[] {
  const clauses = maskedCode(sql, 'brackets').matchAll(/\bON\s+CONFLICT\s+(ROLLBACK|FAIL|IGNORE|REPLACE)\b/gi)
  return [...new Set([...clauses].map(([, word = '']) => word.toUpperCase()))]
}

/** A CHECK of a table; its name is null if it has none. */
export type DeclaredCheck = { readonly name: string | null; readonly expression: string }

/** CHECK constraints, which SQLite shows only in the definition. @param sql a CREATE TABLE */
export function declaredChecks(sql: string): readonly DeclaredCheck[] {
  const code = maskedCode(sql, 'brackets')
  return [...code.matchAll(/\bCHECK\s*\(/gi)].map(({ index, 0: { length } }) => {
    const expression = sql.slice(index + length, closingBracket(code, index + length))
    return { name: nameBefore(sql, code, index), expression }
  })
}

/** The name in a CONSTRAINT clause that ends before a position; null if there is none. */
function nameBefore(sql: string, code: string, end: number): string | null {
  const at = code.toUpperCase().lastIndexOf('CONSTRAINT', end)
  const named = at === -1 ? null : nameAt(sql.slice(at + 'CONSTRAINT'.length, end), 'brackets')
  return named === null || maskedCode(named.rest, 'brackets').trim() !== '' ? null : named.name
}

/**
 * As `TableSpec.blocks`: each rowid is a block, and rows below 1 belong to the first.
 * @param last largest rowid; null without rows
 */
export function rowidBlocks(last: bigint | null): bigint {
  return last === null || last < 0n ? 1n : last + 1n
}

/** A name by which SQL can read the rowid; null if columns have taken all of its names. */
export function freeRowid(columns: readonly { readonly name: string }[]): string | null {
  const taken = new Set(columns.map(({ name }) => name.toLowerCase()))
  return ['rowid', '_rowid_', 'oid'].find((name) => !taken.has(name)) ?? null
}

/**
 * The column that is the rowid: the only column of the primary key, of exactly the type INTEGER. Null if there is none,
 * or if SQLite made an index for the key, as for INTEGER PRIMARY KEY DESC.
 */
export function rowidColumn(columns: readonly SqliteColumnInfo[], hasPrimaryIndex: boolean): string | null {
  const [first, ...more] = columns.filter(({ pk }) => pk > 0)
  const isRowid = more.length === 0 && first?.type.toUpperCase() === 'INTEGER' && !hasPrimaryIndex
  return isRowid ? first.name : null
}

/**
 * The column of a row of `pragma_table_xinfo`; its collation is read separately.
 * @param alias the column that is the rowid
 * @param inferred the type that the rows show; undefined if the declared one is right
 * @param strict true if the table is STRICT
 */
export function sqliteColumnOf(
  { name, type: native, notnull, dflt_value: initial, hidden }: SqliteColumnInfo,
  alias: string | null,
  inferred: InferredType | undefined,
  strict = false,
): Column {
  const declared = sqliteColumnType(native) ?? ANY
  const type = inferred?.type ?? declared
  const isInferred = inferred !== undefined
  return {
    name,
    type,
    native,
    ...(isInferred ? { ...inferred, typeOfNone: declared } : {}),
    ...sortedAsOf(native, type),
    ...spelledOf(type),
    ...exactOf(native, declared, { isInferred, strict }),
    nullable: notnull === 0 && name !== alias,
    ...(hidden > 1 ? { generated: true } : {}),
    ...(name === alias ? { identity: true } : {}),
    ...(initial === null ? {} : { hasDefault: true }),
  }
}

/** The row key: the primary key, else the unique index with the fewest columns. Indexes without NULLs are preferred. */
export function sqliteKeyOf(
  alias: string | null,
  columns: readonly Column[],
  infos: readonly SqliteColumnInfo[],
  indexes: readonly UniqueIndex[],
): Pick<TableSpec, 'key' | 'primary' | 'floatKey'> {
  if (alias !== null) return { key: [alias], primary: true }
  const byName = new Map(columns.map((column) => [column.name, column]))
  const usable = indexes.filter(({ names, collations }) =>
    names.every((name, i) => {
      const column = byName.get(name)
      // Floats cannot be bounds of ranges. If the index has another collation than the column, the index may allow two
      // rows whose keys are equal for the column.
      if (column === undefined || column.generated === true || column.type.kind === 'float') return false
      return (column.collation ?? 'BINARY') === collations[i]
    }),
  )
  if (usable.some(({ origin }) => origin === 'pk')) {
    const primary = infos.filter(({ pk }) => pk > 0).toSorted((a, b) => a.pk - b.pk)
    return { key: primary.map(({ name }) => name), primary: true }
  }
  const nulls = (names: readonly string[]): number =>
    names.some((name) => byName.get(name)?.nullable !== false) ? 1 : 0
  const [best] = usable.toSorted((a, b) => nulls(a.names) - nulls(b.names) || a.names.length - b.names.length)
  if (best !== undefined) return { key: best.names, primary: false }
  const keys = indexes.map(({ names }) => names)
  return { key: [], primary: false, ...floatKeyOf(columns, keys) }
}

/** Query for the bytecode of a comparison: SQLite shows the collation of a column nowhere else. */
export function columnCollationSql(table: string, column: string): string {
  return `EXPLAIN SELECT +${quote(column)} = 'x' FROM ${quote(table)}`
}

/** @param program rows of `columnCollationSql` @returns the collation; null if it is BINARY */
export function collationIn(program: readonly SqlRow[]): string | null {
  const compare = program.find(([, opcode]) => opcode === 'Eq' || opcode === 'Ne')
  const collation = /^(.*)-\d+$/s.exec(String(compare?.[5] ?? ''))?.[1]?.toUpperCase() ?? 'BINARY'
  return collation === 'BINARY' ? null : collation
}

/** True if the type of a column depends on its rows: it has no usable type, or SQLite has no such type. */
export function dependsOnRows(native: string): boolean {
  const kind = sqliteColumnType(native)?.kind
  return kind === undefined || kind === 'date' || kind === 'time' || kind === 'timestamp'
}

/** Query for the storage classes of the first values, and whether texts among them have a zone. */
export function firstValuesSql(table: string, column: string): string {
  return (
    `SELECT typeof(c), typeof(c) = 'text' AND (${ZONES.map((zone) => `c GLOB '${zone}'`).join(' OR ')}) ` +
    `FROM (SELECT ${quote(column)} AS c FROM ${quote(table)} LIMIT ${SAMPLED_ROWS}) WHERE c IS NOT NULL GROUP BY 1, 2`
  )
}

/** The type that the rows of a column show. */
export type InferredType = Pick<Column, 'type' | 'noneSeen'>

/**
 * The type that the first values show.
 * @param rows of `firstValuesSql`
 * @returns null if the declared type is right
 */
export function inferredType(native: string, rows: readonly (readonly unknown[])[]): InferredType | null {
  const type = shownType(native, rows)
  return type === null ? null : { type, ...(rows.length === 0 ? { noneSeen: true as const } : {}) }
}

function shownType(native: string, rows: readonly (readonly unknown[])[]): ColumnType | null {
  const declared = sqliteColumnType(native)
  const only = (...names: readonly string[]): boolean => rows.every(([storage]) => names.includes(String(storage)))
  if (rows.length === 0) return declared === null ? ANY : null
  if (only('integer')) return { kind: 'int', bits: 64 }
  if (declared !== null) {
    if (only('real', 'integer')) return { kind: 'float', bits: 64 }
    // Values without a zone are UTC, as in SQLite's date functions.
    const hasZone = rows.some(([, zone]) => zone === 1)
    return declared.kind === 'timestamp' && hasZone ? { ...declared, zone: true } : null
  }
  if (only('real')) return { kind: 'float', bits: 64 }
  if (only('real', 'integer')) return { kind: 'decimal' }
  if (only('text')) return { kind: 'text' }
  return only('blob') ? { kind: 'bytes' } : ANY
}
