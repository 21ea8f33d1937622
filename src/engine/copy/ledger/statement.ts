/** Runs one statement of a ledger. */
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'

/**
 * Runs the statement in a separate transaction. @param sql idempotent, as for `LedgerDatabase.batch` @returns its rows
 */
export async function runStatement(
  database: LedgerDatabase,
  sql: string,
  parameters: SqlRow,
): Promise<readonly SqlRow[]> {
  const [rows] = await database.batch([{ sql, parameters }])
  return rows ?? []
}
