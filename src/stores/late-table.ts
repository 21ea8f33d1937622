/** Tables of a ledger that only some need: made at their first use, also in a ledger of before. */
import type { LedgerDatabase } from './copy-port.ts'

/** @param sql CREATE TABLE IF NOT EXISTS … */
export async function makeLate(database: LedgerDatabase, sql: string): Promise<void> {
  try {
    await database.batch([{ sql, parameters: [] }])
  } catch (error) {
    // Two that make it at the same moment.
    if (!/already exists|duplicate (?:column|key)/i.test((error as Error).message)) throw error
  }
}

/** Whether a statement failed because a table that a ledger gets late is not there yet. */
export function isMissingTable(error: unknown): boolean {
  return error instanceof Error && /no such table|does not exist|doesn't exist/i.test(error.message)
}
