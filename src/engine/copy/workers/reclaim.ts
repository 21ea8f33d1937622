/** Chunks whose owner is gone go back to those who are there. What he left running at the server is ended first, so that it can commit nothing. */
import type { LedgerDatabase } from '../../../model/copy/port.ts'
import { endedHolder } from '../../../stores/common/lease/columns.ts'
import { handOver } from '../../../stores/common/lease/hand-over.ts'
import type { ChunkLedger } from '../ledger/chunks.ts'
import type { Owner } from '../ledger/owner.ts'
import type { StoredChunk } from '../ledger/stored-chunk.ts'

export type Reclaimed = { readonly chunk: StoredChunk; readonly why: 'lease' | 'ended' }

/** Owners whose lease has run out, by the clock of the database. */
export async function reclaimExpired(database: LedgerDatabase, ledger: ChunkLedger): Promise<readonly Reclaimed[]> {
  return free(database, ledger, await ledger.claims.expired(), 'lease')
}

/** Programs of this machine that have ended: nobody has to wait for their leases. */
export async function reclaimDead(
  database: LedgerDatabase,
  ledger: ChunkLedger,
  owner: Owner,
): Promise<readonly Reclaimed[]> {
  const chunks = await ledger.claims.held()
  const dead = chunks.filter(({ holder }) => endedHolder(holder, owner) !== null)
  // Of the script, which knows no owners: whoever it was, he is not told from a dead one.
  const nobodys = chunks.filter(({ holder }) => holder === null)
  return free(database, ledger, [...dead, ...nobodys], 'ended')
}

/** Whoever has them: what is under way from views of before must not be written any more. */
export async function reclaimOthers(
  database: LedgerDatabase,
  ledger: ChunkLedger,
  owner: Owner,
): Promise<readonly Reclaimed[]> {
  const chunks = (await ledger.claims.held()).filter(({ holder }) => holder?.id !== owner.id)
  const [ended, living] = [true, false].map((is) =>
    chunks.filter(({ holder }) => (endedHolder(holder, owner) !== null) === is),
  )
  return [
    ...(await free(database, ledger, ended ?? [], 'ended')),
    ...(await free(database, ledger, living ?? [], 'lease')),
  ]
}

async function free(
  database: LedgerDatabase,
  ledger: ChunkLedger,
  chunks: readonly StoredChunk[],
  why: Reclaimed['why'],
): Promise<readonly Reclaimed[]> {
  for (const chunk of chunks) {
    await handOver(database, chunk.session, () => ledger.claims.free(chunk))
  }
  return chunks.map((chunk) => ({ chunk, why }))
}
