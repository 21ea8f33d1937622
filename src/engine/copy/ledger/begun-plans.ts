import type { TableName } from '../../../model/copy/column-type.ts'
import type { LedgerDatabase } from '../../../stores/copy-port.ts'
import { tableKeyOf } from './owner.ts'

/** @returns what answers with the hash of the plan that a table's copy was begun under; null without one */
export function begunPlans(database: LedgerDatabase): (table: TableName) => Promise<string | null> {
  return async (table) => {
    const { schema, name } = tableKeyOf(table)
    const sql = 'SELECT plan_hash FROM migration_plans WHERE schema_name = ? AND table_name = ?'
    const [row] = await database.all(sql, [schema, name])
    return row === undefined ? null : String(row[0])
  }
}
