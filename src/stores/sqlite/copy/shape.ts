/** SQLite's facts about a table. */
import type Database from 'better-sqlite3'
import { freeRowid, rowidColumn, type SqliteColumnInfo } from '../../common/sqlite-dialect/table-facts.ts'

export type SqliteShape = {
  /** Column names, in order. */
  readonly columns: readonly string[]
  readonly strict: boolean
  /** A name under which the rowid can be read; null if the table has none, or its columns use all of these names. */
  readonly rowid: string | null
  /** The column that is the rowid; null if there is none. */
  readonly alias: string | null
}

/** CREATE TABLE of the table of exactly this name; null if there is none. */
export function definitionOf(connection: Database.Database, name: string): string | null {
  const found = connection.prepare(`SELECT sql FROM main.sqlite_schema WHERE type = 'table' AND name = ?`).pluck()
  return (found.get(name) as string | undefined) ?? null
}

/** As `definitionOf`, but case is ignored, as by SQLite. */
export function foldedDefinitionOf(connection: Database.Database, name: string): string | null {
  const sql = `SELECT sql FROM main.sqlite_schema WHERE type = 'table' AND lower(name) = lower(?)`
  return (connection.prepare(sql).pluck().get(name) as string | undefined) ?? null
}

export function sqliteColumns(connection: Database.Database, table: string): readonly SqliteColumnInfo[] {
  return connection
    .prepare(`SELECT name, type, "notnull", dflt_value, pk, hidden FROM pragma_table_xinfo(?)`)
    .all(table) as SqliteColumnInfo[]
}

/** If there is no such table, the shape is empty. */
export function sqliteShape(connection: Database.Database, table: string): SqliteShape {
  const info = connection
    .prepare(
      `SELECT wr, strict FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND lower(name) = lower(?)`,
    )
    .get(table) as { readonly wr: number; readonly strict: number } | undefined
  const found = sqliteColumns(connection, table)
  const columns = found.map(({ name }) => name)
  const strict = info?.strict === 1
  if (info === undefined || info.wr === 1) return { columns, strict, rowid: null, alias: null }
  const indexed = connection.prepare(`SELECT 1 FROM pragma_index_list(?) WHERE origin = 'pk'`).get(table) !== undefined
  return { columns, strict, rowid: freeRowid(found), alias: rowidColumn(found, indexed) }
}
