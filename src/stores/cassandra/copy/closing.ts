/** Closes a chunk in the ledger, which is a database of its own: the rows stand already, and nothing here can take them back. */
import type { Closing, LedgerDatabase, Statement } from '../../../model/copy/port.ts'

/** Fails its batch where `guard` gives no row: the ledger ends a transaction for nothing but an error. */
export function fence({ sql, parameters }: Statement): Statement {
  return { sql: `SELECT CASE WHEN EXISTS(${sql}) THEN 1 ELSE json('fenced') END`, parameters }
}

/**
 * @param ledger speaks SQLite's SQL
 * @throws what the ledger throws where the chunk is neither closed nor lost
 */
export async function closeChunk(
  ledger: LedgerDatabase,
  { statements, guard, landed }: Closing,
): Promise<'committed' | 'fenced'> {
  try {
    await ledger.batch([fence(guard), ...statements])
    return 'committed'
  } catch (error) {
    const gives = async ({ sql, parameters }: Statement): Promise<boolean> =>
      (await ledger.all(sql, parameters)).length > 0
    // The answer may have got lost, and not the batch.
    if (await gives(landed)) return 'committed'
    if (!(await gives(guard))) return 'fenced'
    throw error
  }
}
