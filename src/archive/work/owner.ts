/** Lease owner of a partition in the ledger. */
import { type PartitionLedger } from '../ledger/partition-ledger.ts'
import { PARTITION_LEASE_MS, type ArchiveOwner } from '../ledger/partition-facts.ts'
import { startHeartbeat } from '../../stores/common/lease/heartbeat.ts'
import type { Run } from '../../engine/run/run-context.ts'

export function archiveOwner({ runId, owner }: Pick<Run, 'runId' | 'owner'>): ArchiveOwner {
  return { ...owner, runId: BigInt(runId) }
}

/** Timer that renews the leases of this program until it is cleared. */
export function keepLeases(ledger: PartitionLedger): NodeJS.Timeout {
  return startHeartbeat(PARTITION_LEASE_MS / 3, () => ledger.renew())
}
