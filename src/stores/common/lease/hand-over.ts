/** Hands the work of an ended lease owner to others. */
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'

/**
 * First ends the owner's session at the server, so that nothing of it can commit any more, then frees its work.
 * @param session as `ChunkWriter.session` was; null or empty if there is none
 * @param free changes nothing if the lease has a new owner since
 */
export async function handOver(
  database: Pick<LedgerDatabase, 'endSession'>,
  session: string | null,
  free: () => Promise<void>,
): Promise<void> {
  if (session !== null && session !== '') await database.endSession(session)
  await free()
}
