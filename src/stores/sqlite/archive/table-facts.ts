/** What SQLite says of a table that is archived. */
import type Database from 'better-sqlite3'
import { tableText, type TableName, type TableSpec } from '../../../model/copy/column-type.ts'
import { optionsOf } from '../../common/sqlite-dialect/beside-list.ts'
import { quote } from '../../common/sqlite-dialect/ddl.ts'
import { shapeOf } from '../copy/shape.ts'

/**
 * Marks of tables in SQLite, which gives them no number. The first page of each table, by `tableText`: it stays when
 * the table is renamed or altered. VACUUM lays out all tables anew, those of the ledger too, whose page is a part of
 * the mark: behind a VACUUM no table has a mark of before.
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

/**
 * Numbers of rows that SQLite gives a second time: one above the highest of the rows that are there. The column of
 * these numbers, where the row with the highest one meets the condition; null otherwise, and with AUTOINCREMENT.
 */
export function givenAgain(
  connection: Database.Database,
  { table: { name } }: TableSpec,
  condition: string,
): string | null {
  const { alias } = shapeOf(connection, name)
  if (alias === null) return null
  const sql = connection.prepare("SELECT sql FROM main.sqlite_schema WHERE type = 'table' AND name = ?").pluck()
  if (optionsOf(String(sql.get(name))).includes('AUTOINCREMENT')) return null
  const [table, number] = [quote(name), quote(alias)]
  const highest = connection
    .prepare(`SELECT 1 FROM ${table} WHERE ${number} = (SELECT max(${number}) FROM ${table}) AND (${condition})`)
    .get()
  return highest === undefined ? null : alias
}
