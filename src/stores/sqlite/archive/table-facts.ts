/** Facts about a table of SQLite that is archived. */
import type Database from 'better-sqlite3'
import type { TableMark } from '../../../model/archive/port.ts'
import { tableText, type TableName, type TableSpec } from '../../../model/copy/column-type.ts'
import { declaredTableOptions } from '../../common/sqlite-dialect/dependency-list.ts'
import { quote } from '../../common/sqlite-dialect/ddl.ts'
import { definitionOf, sqliteShape } from '../copy/shape.ts'

/**
 * Identity of each table, by `tableText`. It consists of the root pages of the table and of the ledger, because SQLite
 * has no table ids. A rename or ALTER does not change it. A VACUUM moves both pages: afterwards, no table has
 * its earlier identity.
 */
export function sqliteTableIdentities(
  connection: Database.Database,
  tables: readonly TableName[],
): ReadonlyMap<string, TableMark> {
  const page = connection
    .prepare<[string], number>("SELECT rootpage FROM main.sqlite_schema WHERE type = 'table' AND name = ?")
    .pluck()
  const ledger = page.get('migration_archives') ?? ''
  const found = new Map<string, TableMark>()
  for (const table of tables) {
    const own = page.get(table.name)
    if (own !== undefined) found.set(tableText(table), { text: `${own} ${ledger}`, isRecent: false })
  }
  return found
}

/**
 * Detects row numbers that SQLite will assign again after a removal: its next number is one above the largest existing
 * one.
 * @returns the column of these numbers if the row with the largest number meets the condition; null otherwise, and for
 * a table with AUTOINCREMENT
 */
export function reusedRowNumbers(
  connection: Database.Database,
  { table: { name } }: TableSpec,
  condition: string,
): string | null {
  const { alias } = sqliteShape(connection, name)
  if (alias === null) return null
  if (declaredTableOptions(definitionOf(connection, name) ?? '').includes('AUTOINCREMENT')) return null
  const [table, number] = [quote(name), quote(alias)]
  const highest = connection
    .prepare(`SELECT 1 FROM ${table} WHERE ${number} = (SELECT max(${number}) FROM ${table}) AND (${condition})`)
    .get()
  return highest === undefined ? null : alias
}
