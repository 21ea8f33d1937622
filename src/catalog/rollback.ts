/** Taking a table out of the catalog. The log is never touched: it stays the truth that the catalog was made from. */
import type { SqlReader, SqlTransaction } from '../model/run/sql-port.ts'
import { forgetFsck } from './fsck-findings.ts'
import { RELATIONS_OF_TABLE } from './import/head.ts'

const ALL_RELATIONS = [...RELATIONS_OF_TABLE, 'migration_status', 'catalog_leases', 'delta_tables'] as const

export type RowCounts = readonly { readonly relation: string; readonly rows: number }[]

/** Rows a rollback would remove, by relation; those with none are left out. */
export async function rowsOfTable(reader: SqlReader, tableId: string): Promise<RowCounts> {
  const counts: { relation: string; rows: number }[] = []
  for (const relation of ALL_RELATIONS) {
    const [row] = await reader.all(`SELECT count(*) FROM ${relation} WHERE table_id = ?`, [tableId])
    const rows = row?.[0] as number
    if (rows > 0) counts.push({ relation, rows })
  }
  return counts
}

/** Removes every row of a table, inside the caller's transaction. */
export async function deleteTable(transaction: SqlTransaction, tableId: string): Promise<RowCounts> {
  const counts: { relation: string; rows: number }[] = []
  for (const relation of ALL_RELATIONS) {
    const rows = await transaction.run(`DELETE FROM ${relation} WHERE table_id = ?`, [tableId])
    if (rows > 0) counts.push({ relation, rows })
  }
  // Not counted before: a catalog of an earlier version has no such relation.
  await forgetFsck(transaction, tableId)
  return counts
}

/** Relations outside the catalog's own that refer to it by a foreign key or a view: whoever made them depends on these rows. */
export async function dependents(reader: SqlReader, objects: string): Promise<readonly string[]> {
  const rows = await reader.all(objects)
  return rows.map(([name]) => String(name))
}
