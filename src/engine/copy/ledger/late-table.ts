/** Tables of the ledger that only some copies need: made at their first use, also in a ledger of an older copy. */
import type { LedgerDatabase } from '../../../stores/copy-port.ts'

/** @param sql CREATE TABLE IF NOT EXISTS … */
export async function makeLate(database: LedgerDatabase, sql: string): Promise<void> {
  try {
    await database.batch([{ sql, parameters: [] }])
  } catch (error) {
    // Two that make it at the same moment.
    if (!/already exists|duplicate (?:column|key)/i.test((error as Error).message)) throw error
  }
}
