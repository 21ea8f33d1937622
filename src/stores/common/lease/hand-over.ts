/** What an owner who is gone has held goes to others. */
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'

/**
 * Ends what he left running at the server first, so that nothing of it can commit any more, and only then gives away what he held.
 * @param session as `ChunkWriter.session` was; null or empty where there is none
 * @param free changes nothing where it has changed hands since
 */
export async function handOver(
  database: Pick<LedgerDatabase, 'endSession'>,
  session: string | null,
  free: () => Promise<void>,
): Promise<void> {
  if (session !== null && session !== '') await database.endSession(session)
  await free()
}
