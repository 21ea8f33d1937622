/** Unique indexes of a table, and collations of its columns. */
import type Database from 'better-sqlite3'
import { collationIn, columnCollationSql, type UniqueIndex } from '../../common/sqlite-dialect/table-facts.ts'
import { rowsOf } from '../reader.ts'

/** Unique indexes of a table without expressions and without a WHERE condition; sorted by name. */
export function sqliteUniqueIndexes(connection: Database.Database, table: string): readonly UniqueIndex[] {
  const indexes = connection
    .prepare(`SELECT name, origin FROM pragma_index_list(?) WHERE "unique" = 1 AND partial = 0`)
    .all(table) as { readonly name: string; readonly origin: string }[]
  const parts = connection.prepare(`SELECT name, coll FROM pragma_index_xinfo(?) WHERE key = 1 ORDER BY seqno`)
  const sorted = indexes.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  return sorted.flatMap(({ name, origin }) => {
    const columns = parts.all(name) as { readonly name: string | null; readonly coll: string }[]
    const names = columns.flatMap((column) => (column.name === null ? [] : [column.name]))
    if (names.length < columns.length) return []
    return [{ origin, names, collations: columns.map(({ coll }) => coll.toUpperCase()) }]
  })
}

/**
 * Collations of columns that do not compare by bytes. They are read from the bytecode of a statement, because SQLite
 * does not show them in any other place. Null for a collation that only another program defines: statements of sluice
 * cannot compare by it.
 */
export function collationsOf(
  connection: Database.Database,
  table: string,
  columns: readonly string[],
): ReadonlyMap<string, string | null> {
  const found = new Map<string, string | null>()
  for (const name of columns) {
    try {
      const collation = collationIn(rowsOf(connection, columnCollationSql(table, name)))
      if (collation !== null) found.set(name, collation)
    } catch (error) {
      if (!/no such collation/.test(String(error))) throw error
      found.set(name, null)
    }
  }
  return found
}
