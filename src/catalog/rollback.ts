/** Removes a table from the catalog. The log, from which the catalog was made, is never changed. */
import type { SqlReader, SqlTransaction } from '../model/run/sql-port.ts'
import { forgetFsck } from './fsck-findings.ts'
import { RELATIONS_OF_TABLE } from './import/head.ts'

const ALL_RELATIONS = [...RELATIONS_OF_TABLE, 'migration_status', 'catalog_leases', 'delta_tables'] as const

export type RelationRowCounts = readonly { readonly relation: string; readonly rows: number }[]

/** Rows that a rollback would remove, by relation, without zeros. */
export async function rowsOfTable(reader: SqlReader, tableId: string): Promise<RelationRowCounts> {
  const counts: { relation: string; rows: number }[] = []
  for (const relation of ALL_RELATIONS) {
    const [row] = await reader.all(`SELECT count(*) FROM ${relation} WHERE table_id = ?`, [tableId])
    const rows = row?.[0] as number
    if (rows > 0) counts.push({ relation, rows })
  }
  return counts
}

/** Removes every row of a table, inside the caller's transaction. */
export async function deleteTable(transaction: SqlTransaction, tableId: string): Promise<RelationRowCounts> {
  const counts: { relation: string; rows: number }[] = []
  for (const relation of ALL_RELATIONS) {
    const rows = await transaction.run(`DELETE FROM ${relation} WHERE table_id = ?`, [tableId])
    if (rows > 0) counts.push({ relation, rows })
  }
  // Not counted before: an older catalog has no such relation.
  await forgetFsck(transaction, tableId)
  return counts
}

/** Other relations that refer to the catalog by a foreign key or a view, and so depend on these rows. */
export async function dependents(reader: SqlReader, objects: string): Promise<readonly string[]> {
  const rows = await reader.all(objects)
  return rows.map(([name]) => String(name))
}
