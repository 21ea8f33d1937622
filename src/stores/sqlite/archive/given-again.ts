/** Numbers of rows that SQLite gives a second time: one above the highest of the rows that are there. */
import type Database from 'better-sqlite3'
import type { TableSpec } from '../../../model/copy/column-type.ts'
import { optionsOf } from '../../common/sqlite-dialect/beside-list.ts'
import { quote } from '../../common/sqlite-dialect/ddl.ts'
import { shapeOf } from '../copy/shape.ts'

/** The column of these numbers, where the row with the highest one meets the condition; null otherwise, and with AUTOINCREMENT. */
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
