/** Marks of tables in SQLite, which gives them no number. */
import type Database from 'better-sqlite3'
import { tableText, type TableName } from '../../../model/copy/column-type.ts'

/**
 * The first page of each table, by `tableText`: it stays when the table is renamed or altered. VACUUM lays out all tables anew, those of the ledger too, whose page is a
 * part of the mark: behind a VACUUM no table has a mark of before.
 */
export function tableMarks(connection: Database.Database, tables: readonly TableName[]): ReadonlyMap<string, string> {
  const page = connection
    .prepare<[string], number>("SELECT rootpage FROM main.sqlite_schema WHERE type = 'table' AND name = ?")
    .pluck()
  const ledger = page.get('migration_archives') ?? ''
  const found = new Map<string, string>()
  for (const table of tables) {
    const own = page.get(table.name)
    if (own !== undefined) found.set(tableText(table), `${own} ${ledger}`)
  }
  return found
}
