/** Single statements of a ledger. */
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import { ledgerDialect } from '../../../stores/ledger-dialect.ts'

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

/** True if the ledger has the table. */
export async function hasTable(database: LedgerDatabase, name: string): Promise<boolean> {
  return (await database.all(ledgerDialect(database.dialect).columns, [name])).length > 0
}

/** Clock of the ledger's database, ms since the epoch. */
export async function clockOf(database: LedgerDatabase): Promise<number> {
  const [row] = await database.all(`SELECT ${ledgerDialect(database.dialect).now}`)
  return Number(row?.[0])
}
