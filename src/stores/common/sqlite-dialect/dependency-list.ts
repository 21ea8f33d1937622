/** Dependencies of SQLite tables besides rows, keys and indexes, for all systems that use its SQL. */
import { tableText, type Column, type TableOption, type TableSpec } from '../../../model/copy/column-type.ts'
import { groupDependencies, type LeftBehind, type LeftKind } from '../../../model/copy/dependencies.ts'
import type { ColumnSequence } from '../../../model/copy/sequence.ts'
import { columnsIn, expressionIn } from '../column-definitions.ts'
import { maskedCode, mentions } from '../definition-text.ts'
import type { DependencyStore, DependencyScope } from '../../../model/copy/dependency-port.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import type { ListRows, SqliteListQuery } from './object-list.ts'
import { withSingleQuotes } from './literals.ts'
import { declaredConflicts } from './table-facts.ts'
import { streamOfName } from './stream-names.ts'

/** Dependencies, sequences and generated columns of the tables of a database. */
export function sqliteDependencies(rowsOf: ListRows): DependencyStore {
  return {
    notCopied: async (scope, signal) => {
      if (scope.tables.length === 0 && !scope.all) return []
      return untransferredIn(scope, await rowsOf(untransferredQueries(scope), signal))
    },
    sequences: async (table, signal) => {
      const [created = [], counters = []] = await rowsOf(detailQueries(table), signal)
      const sql = String(created[0]?.[0] ?? '')
      if (counters.length === 0) return sequenceIn(table, sql, null)
      const [[[last] = []] = []] = await rowsOf([positionQuery(table)], signal)
      return sequenceIn(table, sql, last == null ? null : String(last))
    },
    detailed: async (table, signal) => {
      const [created = []] = await rowsOf(detailQueries(table), signal)
      return detailedTable(table, String(created[0]?.[0] ?? ''))
    },
  }
}

/** Queries for the dependencies that a copy does not transfer; `untransferredIn` evaluates their rows. */
function untransferredQueries({ tables }: DependencyScope): readonly SqliteListQuery[] {
  const names = JSON.stringify(tables.map(({ name }) => name))
  return [
    {
      sql: `SELECT s.type, s.tbl_name, s.name, s.sql FROM sqlite_schema AS s
            WHERE s.type IN ('table', 'trigger') AND lower(s.tbl_name) IN (SELECT lower(j.value) FROM json_each(?) AS j)`,
      parameters: [names],
    },
    { sql: `SELECT name, sql FROM sqlite_schema WHERE type = 'view'`, parameters: [] },
    {
      sql: `SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE 'CREATE VIRTUAL TABLE%'`,
      parameters: [],
    },
  ]
}

/**
 * Dependencies that a copy of these tables does not transfer: triggers, views, virtual tables, table options.
 * @param answers rows of each query of `untransferredQueries`, in the same order
 */
export function untransferredIn(
  { tables, all }: DependencyScope,
  answers: readonly (readonly SqlRow[])[],
): readonly LeftBehind[] {
  const [objects = [], views = [], virtual = []] = answers
  const texts = new Map(tables.map((table) => [table.name.toLowerCase(), tableText(table)]))
  const rows: [LeftKind, string | undefined, string | null][] = []
  for (const [type, owner, name, sql] of objects) {
    const table = texts.get(String(owner).toLowerCase()) ?? ''
    if (type === 'trigger') {
      // Triggers of a stream are sluice's, not the user's.
      if (streamOfName(String(name)) === null) rows.push(['trigger', table, String(name)])
      continue
    }
    const options = declaredTableOptions(String(sql))
    if (options.includes('STRICT')) rows.push(['strict', table, null])
    if (options.includes('WITHOUT ROWID')) rows.push(['without rowid', table, null])
    for (const word of declaredConflicts(String(sql))) rows.push(['conflict clause', table, `ON CONFLICT ${word}`])
    for (const { column, code } of columnsIn(String(sql), 'brackets')) {
      const collation = /\bCOLLATE\s+["'`[]?(NOCASE|RTRIM)\b/i.exec(code)?.[1]
      if (collation !== undefined)
        rows.push([collation.toUpperCase() === 'RTRIM' ? 'blank collation' : 'collation', table, column])
    }
  }
  for (const [name, sql] of views) {
    const about = tables.filter((table) => mentions(String(sql), table))
    if (about.length === 0 && all) rows.push(['view', undefined, String(name)])
    for (const table of about) rows.push(['view', tableText(table), String(name)])
  }
  if (all) for (const [name] of virtual) rows.push(['virtual table', undefined, String(name)])
  return groupDependencies(rows)
}

/** Queries for the text of CREATE TABLE, and for whether the database has `sqlite_sequence`. */
export function detailQueries({ table: { name } }: TableSpec): readonly SqliteListQuery[] {
  return [
    { sql: `SELECT sql FROM sqlite_schema WHERE type = 'table' AND lower(name) = lower(?)`, parameters: [name] },
    { sql: `SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'`, parameters: [] },
  ]
}

/** Query for the last AUTOINCREMENT number. It fails if the database has no table `sqlite_sequence`. */
function positionQuery({ table: { name } }: TableSpec): SqliteListQuery {
  return { sql: 'SELECT CAST(seq AS TEXT) FROM sqlite_sequence WHERE lower(name) = lower(?)', parameters: [name] }
}

/** Expressions of generated columns, by column name in lower case. @param sql the text of CREATE TABLE */
export function generatedExpressions(sql: string): ReadonlyMap<string, NonNullable<Column['expression']>> {
  return new Map(
    columnsIn(sql, 'brackets').flatMap(({ column, code, text }) => {
      const expression = expressionIn(code, text)
      return expression === null ? [] : [[column.toLowerCase(), expression] as const]
    }),
  )
}

/** Adds table options and the expressions of generated columns. @param sql the text of CREATE TABLE */
function detailedTable(table: TableSpec, sql: string): TableSpec {
  const options = declaredTableOptions(sql)
  const expressions = generatedExpressions(sql)
  const columns = table.columns.map((column): Column => {
    const expression = column.generated === true ? expressions.get(column.name.toLowerCase()) : undefined
    if (expression === undefined) return column
    return { ...column, expression: { ...expression, sql: withSingleQuotes(expression.sql, table.columns) } }
  })
  return { ...table, columns, ...(options.length === 0 ? {} : { options }) }
}

/** @param last the last number that SQLite assigned; null if none */
function sequenceIn(table: TableSpec, sql: string, last: string | null): readonly ColumnSequence[] {
  const column = table.columns.find(({ identity }) => identity === true)
  if (column === undefined || !declaredTableOptions(sql).includes('AUTOINCREMENT')) return []
  return [{ column: column.name, next: last === null ? 1n : BigInt(last) + 1n }]
}

export function declaredTableOptions(sql: string): readonly TableOption[] {
  const code = maskedCode(sql, 'brackets')
  const tail = code.slice(code.lastIndexOf(')') + 1)
  return [
    ...(/\bSTRICT\b/i.test(tail) ? ['STRICT' as const] : []),
    ...(/\bWITHOUT\s+ROWID\b/i.test(tail) ? ['WITHOUT ROWID' as const] : []),
    ...(/\bPRIMARY\s+KEY\b[^,]*\bAUTOINCREMENT\b/i.test(code) ? ['AUTOINCREMENT' as const] : []),
  ]
}
