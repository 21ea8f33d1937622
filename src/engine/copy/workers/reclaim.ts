/** Frees chunks whose owners are gone. Their server sessions are ended first, so that they can commit nothing more. */
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import { endedOwnerId } from '../../../stores/common/lease/columns.ts'
import type { ChunkLedger } from '../ledger/chunks.ts'
import type { RunOwner } from '../ledger/owner.ts'
import type { StoredChunk } from '../ledger/stored-chunk.ts'

export type Reclaimed = { readonly chunk: StoredChunk; readonly why: 'lease' | 'ended' }

/** Frees chunks of owners whose lease has expired, by the clock of the database. */
export async function reclaimExpired(database: LedgerDatabase, ledger: ChunkLedger): Promise<readonly Reclaimed[]> {
  return free(database, ledger, await ledger.claims.expired(), 'lease')
}

/** Frees chunks of ended processes of this machine, without waiting for their leases. */
export async function reclaimDead(
  database: LedgerDatabase,
  ledger: ChunkLedger,
  owner: RunOwner,
): Promise<readonly Reclaimed[]> {
  const chunks = await ledger.claims.claimedChunks()
  const dead = chunks.filter(({ holder }) => endedOwnerId(holder, owner) !== null)
  // Chunks without an owner come from the migration script, which records none: free them like those of dead owners.
  const nobodys = chunks.filter(({ holder }) => holder === null)
  return free(database, ledger, [...dead, ...nobodys], 'ended')
}

/** Frees chunks of all other owners: rows read in earlier read views must not be written any more. */
export async function reclaimOthers(
  database: LedgerDatabase,
  ledger: ChunkLedger,
  owner: RunOwner,
): Promise<readonly Reclaimed[]> {
  const chunks = (await ledger.claims.claimedChunks()).filter(({ holder }) => holder?.id !== owner.id)
  const [ended, living] = [true, false].map((is) =>
    chunks.filter(({ holder }) => (endedOwnerId(holder, owner) !== null) === is),
  )
  return [
    ...(await free(database, ledger, ended ?? [], 'ended')),
    ...(await free(database, ledger, living ?? [], 'lease')),
  ]
}

/**
 * First ends the owner's session at the server, so that it can commit nothing more, then frees its chunk. The ledger
 * stays unchanged if another owner has the chunk by then.
 */
async function free(
  database: LedgerDatabase,
  ledger: ChunkLedger,
  chunks: readonly StoredChunk[],
  why: Reclaimed['why'],
): Promise<readonly Reclaimed[]> {
  for (const chunk of chunks) {
    if (chunk.session !== null && chunk.session !== '') await database.endSession(chunk.session)
    await ledger.claims.free(chunk)
  }
  return chunks.map((chunk) => ({ chunk, why }))
}
