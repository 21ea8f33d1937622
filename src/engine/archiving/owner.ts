/** Who works on a partition, in the ledger. */
import type { ArchiveOwner, PartitionLedger } from '../../archive/ledger/partition-ledger.ts'
import { LEASE_MS } from '../../archive/ledger/partition-ledger.ts'
import type { ArchivedPartition } from '../../archive/ledger/record.ts'
import { isAlive } from '../../shared/owner.ts'
import type { Run } from '../run-context.ts'

export function ownerOf({ runId, host }: Pick<Run, 'runId' | 'host'>): ArchiveOwner {
  return { id: `${runId}/${host}`, host, pid: process.pid, runId: BigInt(runId) }
}

/** The owner of a partition, where that is a program of this machine which has ended; its lease need not be waited for. */
export function deadOwner({ owner, host, pid }: ArchivedPartition, run: Pick<Run, 'host'>): string | null {
  if (owner === null || pid === null || host !== run.host) return null
  return isAlive(pid) ? null : owner
}

/** Renews what this program holds, until it is cleared. */
export function beat(ledger: PartitionLedger): NodeJS.Timeout {
  let under = false
  return setInterval(() => {
    if (under) return
    under = true
    ledger
      .renew()
      // The database is away: the next beat, or the end of the lease, settles it.
      .catch(() => undefined)
      .finally(() => (under = false))
  }, LEASE_MS / 3).unref()
}
