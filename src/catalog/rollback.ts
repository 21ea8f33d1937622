/** Removes a table from the catalog. The log is never changed. */
import type { SqlReader, SqlTransaction } from '../model/run/sql-port.ts'
import { forgetFsck } from './fsck-findings.ts'
import { RELATIONS_OF_TABLE } from './import/head.ts'
import { countOf } from './count-rows.ts'

const ALL_RELATIONS = [...RELATIONS_OF_TABLE, 'migration_status', 'catalog_leases', 'delta_tables'] as const

export type RelationRowCounts = readonly { readonly relation: string; readonly rows: number }[]

/** Rows that a rollback would remove, by relation, without zeros. */
export async function rowsOfTable(reader: SqlReader, tableId: string): Promise<RelationRowCounts> {
  const counts: { relation: string; rows: number }[] = []
  for (const relation of ALL_RELATIONS) {
    const rows = await countOf(reader, `${relation} WHERE table_id = ?`, [tableId])
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
  // The findings are not in `ALL_RELATIONS`, because a catalog before migration 3 lacks their relation.
  await forgetFsck(transaction, tableId)
  return counts
}

/** Names of objects outside the catalog that depend on its rows. @param objects the dialect's query for them */
export async function dependents(reader: SqlReader, objects: string): Promise<readonly string[]> {
  const rows = await reader.all(objects)
  return rows.map(([name]) => String(name))
}
