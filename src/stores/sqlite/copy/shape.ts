/** SQLite's facts about a table. */
import type Database from 'better-sqlite3'

export type SqliteShape = {
  /** Column names, in order. */
  readonly columns: readonly string[]
  readonly strict: boolean
  /** A name under which the rowid can be read; null if the table has none, or its columns use all of these names. */
  readonly rowid: string | null
  /** The column that is the rowid; null if there is none. */
  readonly alias: string | null
}

export type SqliteColumnInfo = {
  readonly cid: number
  readonly name: string
  readonly type: string
  readonly notnull: number
  readonly dflt_value: string | null
  readonly pk: number
  readonly hidden: number
}

export function sqliteColumns(connection: Database.Database, table: string): readonly SqliteColumnInfo[] {
  return connection
    .prepare(`SELECT cid, name, type, "notnull", dflt_value, pk, hidden FROM pragma_table_xinfo(?)`)
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
  if (info === undefined) return { columns, strict: false, rowid: null, alias: null }
  const taken = new Set(columns.map((name) => name.toLowerCase()))
  const rowid = info.wr === 1 ? null : (['rowid', '_rowid_', 'oid'].find((name) => !taken.has(name)) ?? null)
  return { columns, strict: info.strict === 1, rowid, alias: info.wr === 1 ? null : aliasOf(connection, table, found) }
}

/** One primary key column of exactly the type INTEGER, unless it has an index (as for INTEGER PRIMARY KEY DESC). */
function aliasOf(connection: Database.Database, table: string, columns: readonly SqliteColumnInfo[]): string | null {
  const [first, ...more] = columns.filter(({ pk }) => pk > 0)
  if (first === undefined || more.length > 0 || first.type.toUpperCase() !== 'INTEGER') return null
  const indexed = connection.prepare(`SELECT 1 FROM pragma_index_list(?) WHERE origin = 'pk'`).get(table) !== undefined
  return indexed ? null : first.name
}
