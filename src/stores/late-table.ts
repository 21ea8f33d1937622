/** Tables of a ledger that only some need: made at their first use, also in a ledger of before. */
import type { LedgerDatabase } from './copy-port.ts'
import { refuseForeignTables } from './ledger-tables.ts'

/**
 * @param sql CREATE TABLE IF NOT EXISTS …
 * @throws SluiceError TABLE_REFUSED where a user's table has that name
 */
export async function makeLate(database: LedgerDatabase, sql: string): Promise<void> {
  const [, name] = /^CREATE TABLE IF NOT EXISTS (\w+)/.exec(sql) ?? []
  if (name !== undefined) await refuseForeignTables(database, [name])
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
