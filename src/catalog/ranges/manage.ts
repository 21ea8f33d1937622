/** Adds and removes columns that have ranges. */
import { isoTime } from '../../shared/clock.ts'
import type { SqlDatabase, SqlTransaction } from '../../model/run/sql-port.ts'
import { columnOf, rangeColumns, type RangeColumn } from './columns.ts'

export type WantedColumn = Pick<RangeColumn, 'name' | 'physicalPath' | 'kind'>

/** Requests ranges for columns; `extendRanges` builds them. Columns that already have ranges stay unchanged. */
export async function addRangeColumns(
  database: SqlDatabase,
  tableId: string,
  wanted: readonly WantedColumn[],
  nowMs: number,
): Promise<void> {
  const createdAt = isoTime(nowMs)
  await database.write(
    async (transaction) => {
      const known = await rangeColumns(transaction, tableId)
      let number = Math.max(0, ...known.map(({ columnNo }) => columnNo))
      for (const { name, physicalPath, kind } of wanted) {
        if (columnOf(known, physicalPath) !== null) continue
        await transaction.run(
          `INSERT INTO delta_range_columns (table_id, column_no, name, physical_path, kind, built_to, built_version, created_at)
           VALUES (?, ?, ?, ?, ?, -1, -1, ?)`,
          [tableId, ++number, name, JSON.stringify(physicalPath), kind, createdAt],
        )
      }
    },
    async (reader) => {
      const now = await rangeColumns(reader, tableId)
      return wanted.every(({ physicalPath }) => columnOf(now, physicalPath) !== null)
    },
  )
}

/** Deletes the ranges of a column in one transaction. */
export async function dropRangeColumn(
  database: SqlDatabase,
  tableId: string,
  { columnNo }: RangeColumn,
  guard: (transaction: SqlTransaction) => Promise<void>,
): Promise<void> {
  const parameters = [tableId, columnNo]
  await database.write(
    async (transaction) => {
      await guard(transaction)
      for (const relation of ['delta_range_columns', 'delta_range_zones', 'delta_file_ranges']) {
        await transaction.run(`DELETE FROM ${relation} WHERE table_id = ? AND column_no = ?`, parameters)
      }
    },
    async (reader) => !(await rangeColumns(reader, tableId)).some((column) => column.columnNo === columnNo),
  )
}
