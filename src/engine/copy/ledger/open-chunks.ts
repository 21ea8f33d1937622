/** Which of some chunks are still open, for those who only look: tables go by the names that they have in the source. */
import type { LedgerDatabase } from '../../../model/copy/port.ts'
import { CLOSED } from './stored-chunk.ts'

/**
 * The chunks of one table that are open, by number, among those from one number to another.
 * @param table of the source, as events name it
 * @returns null for a table that the ledger has no plan of
 */
export async function openChunks(
  database: LedgerDatabase,
  table: string,
  { from, to }: { readonly from: number; readonly to: number },
): Promise<ReadonlySet<string> | null> {
  const [plan] = await database.all('SELECT 1 FROM migration_plans WHERE source_table = ?', [table])
  if (plan === undefined) return null
  const rows = await database.all(
    `SELECT c.chunk_no FROM migration_checkpoints c
     JOIN migration_plans p ON p.schema_name = c.schema_name AND p.table_name = c.table_name
     WHERE p.source_table = ? AND c.chunk_no BETWEEN ? AND ? AND NOT ${CLOSED}`,
    [table, from, to],
  )
  return new Set(rows.map(([no]) => String(no)))
}
