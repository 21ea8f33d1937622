/**
 * Infers types of columns without a usable declared type, from their first rows. Dates too: SQLite has no date type, so
 * a date column with numbers becomes a number. Later rows have to be of that type.
 */
import type Database from 'better-sqlite3'
import type { ColumnType } from '../../../model/copy/column-type.ts'
import {
  firstValuesSql,
  inferredType,
  isInferred,
  type SqliteColumnInfo,
} from '../../common/sqlite-dialect/table-facts.ts'
import { rowsOf } from '../reader.ts'

export function inferredTypes(
  connection: Database.Database,
  table: string,
  columns: readonly SqliteColumnInfo[],
): ReadonlyMap<string, ColumnType> {
  const found = new Map<string, ColumnType>()
  for (const { name, type: native } of columns) {
    if (!isInferred(native)) continue
    const rows = rowsOf(connection, firstValuesSql(table, name))
    const classes = rows.map(([storage]) => storage)
    // If some values have a zone, the column gets a zone. Values without one are UTC, as in SQLite's date functions.
    const hasZone = rows.some(([, zone]) => zone === 1)
    const type = inferredType(native, classes, hasZone)
    if (type !== null) found.set(name, type)
  }
  return found
}
