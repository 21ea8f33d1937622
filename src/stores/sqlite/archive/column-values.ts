/** Distinct values of a column of a table. */
import type Database from 'better-sqlite3'
import type { Column, TableSpec } from '../../../model/copy/column-type.ts'
import { breathe, throwIfAborted } from '../../../shared/abort.ts'
import type { ColumnValue, ColumnValues } from '../../../model/archive/values-port.ts'
import { quote } from '../../common/sqlite-dialect/ddl.ts'
import { affinityOf } from '../../common/sqlite-dialect/types.ts'
import { rowPieces } from './row-pieces.ts'
import { wideRowsOf } from '../reader.ts'

/** Number of rows between two pauses for other work. */
const ROWS_PER_PAUSE = 20_000

/** See `RowValues.values`. @param connection within a read transaction */
export async function sqliteColumnValues(
  connection: Database.Database,
  table: TableSpec,
  { name, type, native }: Column,
  most: number,
  signal: AbortSignal,
): Promise<ColumnValues | null> {
  const isText = type.kind === 'text' && affinityOf(native) === 'text'
  if (!isText && type.kind !== 'int') return null
  const column = quote(name)
  const own = isText ? 'text' : 'integer'
  const odd = `(typeof(${column}) NOT IN ('${own}', 'null'))`
  const value = `CASE WHEN ${column} IS NULL THEN NULL WHEN ${odd} THEN substr(quote(${column}), 1, 60) ELSE CAST(${column} AS TEXT) END`
  const counts = new Map<string, ColumnValue>()
  for (const { sql, parameters } of rowPieces(connection, table, ROWS_PER_PAUSE)) {
    throwIfAborted(signal)
    const rows = wideRowsOf(
      connection,
      `SELECT value, odd, count(*) FROM (SELECT ${value} AS value, ${odd} AS odd FROM ${quote(table.table.name)} WHERE ${sql}) GROUP BY value COLLATE BINARY, odd LIMIT ${most + 1}`,
      parameters,
    )
    for (const [found, isOdd, count] of rows) {
      const key = `${String(isOdd)}${found == null ? '' : String(found)}${found == null ? ' ' : '='}`
      const sum = (counts.get(key)?.rows ?? 0n) + BigInt(String(count))
      counts.set(key, {
        value: found == null ? null : String(found),
        rows: sum,
        ...(isOdd === 1n ? { odd: true } : {}),
      })
    }
    if (counts.size > most) break
    await breathe()
  }
  return { values: [...counts.values()].slice(0, most), more: counts.size > most }
}
