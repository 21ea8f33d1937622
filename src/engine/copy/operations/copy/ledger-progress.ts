/** State of each planned table in the ledger. */
import { ChunkLedger } from '../../ledger/chunks.ts'
import { tableKeyOf } from '../../ledger/owner.ts'
import { CLOSED } from '../../ledger/stored-chunk.ts'
import type { PlannedCopy } from '../../plan/plan-copy.ts'
import type { PlannedTableState } from '../../plan/plan-event.ts'
import { isHashOf } from '../../plan/plan-hash.ts'
import { openTokens, tokensOfChunks } from '../../plan/ring-plan.ts'
import type { CopyContext } from '../../table/copy-context.ts'

/** @returns progress of earlier runs per table, in the order of the plan */
export async function ledgerProgress(
  planned: PlannedCopy,
  { database, owner, runs }: Pick<CopyContext, 'database' | 'owner' | 'runs'>,
): Promise<readonly PlannedTableState[]> {
  const all: PlannedTableState[] = []
  for (const { targetName, plan, ring } of planned.tables) {
    const key = tableKeyOf(targetName)
    const known = plan === null ? null : await runs.plan(key)
    if (plan === null || known === null || !isHashOf(known.hash, planned.from.identity, plan)) {
      all.push('new')
      continue
    }
    const ledger = new ChunkLedger(database, key, owner)
    if (ring !== null) {
      all.push(
        known.planned && openTokens(ring, await tokensOfChunks(ring, ledger.each(CLOSED))).length === 0
          ? 'done'
          : 'begun',
      )
      continue
    }
    const left = await ledger.claims.remaining(null)
    all.push(known.planned && !left.pending && !left.held && !left.failed ? 'done' : 'begun')
  }
  return all
}
