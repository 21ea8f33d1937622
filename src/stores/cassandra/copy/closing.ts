/** Closes a chunk in the ledger, which is another database: the rows are already written, and cannot be rolled back. */
import type { Closing, LedgerDatabase, Statement } from '../../../model/run/ledger-port.ts'

/** Fails its batch if `guard` gives no row: the ledger rolls back a transaction only after an error. */
export function guardedStatement({ sql, parameters }: Statement): Statement {
  return { sql: `SELECT CASE WHEN EXISTS(${sql}) THEN 1 ELSE json('fenced') END`, parameters }
}

/** @param ledger speaks SQLite's SQL @throws what the ledger throws if the chunk is neither closed nor lost */
export async function closeCassandraChunk(
  ledger: LedgerDatabase,
  { statements, guard, landed }: Closing,
): Promise<'committed' | 'fenced'> {
  try {
    await ledger.batch([guardedStatement(guard), ...statements])
    return 'committed'
  } catch (error) {
    const gives = async ({ sql, parameters }: Statement): Promise<boolean> =>
      (await ledger.all(sql, parameters)).length > 0
    // The batch may have run and only its answer got lost.
    if (await gives(landed)) return 'committed'
    if (!(await gives(guard))) return 'fenced'
    throw error
  }
}
