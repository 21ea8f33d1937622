/** Closes a chunk in the ledger, which is another database: the rows are already written, and cannot be rolled back. */
import type { Closing, LedgerDatabase, Statement } from '../../../model/run/ledger-port.ts'

/** Statement that fails its batch if `guard` returns no row: only an error makes the ledger roll back a transaction. */
export function guardedStatement({ sql, parameters }: Statement): Statement {
  return { sql: `SELECT CASE WHEN EXISTS(${sql}) THEN 1 ELSE json('fenced') END`, parameters }
}

/** @param ledger uses SQLite's SQL @throws the ledger's error if the chunk is not closed, but still this worker's */
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
    // The batch may be committed, and only the reply lost.
    if (await gives(landed)) return 'committed'
    if (!(await gives(guard))) return 'fenced'
    throw error
  }
}
