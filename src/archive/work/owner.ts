/** Who works on a partition, in the ledger. */
import { LEASE_MS, type ArchiveOwner, type PartitionLedger } from '../ledger/partition-ledger.ts'
import { beat } from '../../stores/common/lease/heartbeat.ts'
import type { Run } from '../../engine/run/run-context.ts'

export function ownerOf({ runId, owner }: Pick<Run, 'runId' | 'owner'>): ArchiveOwner {
  return { ...owner, runId: BigInt(runId) }
}

/** Renews what this program holds, until it is cleared. */
export function beatOfArchive(ledger: PartitionLedger): NodeJS.Timeout {
  return beat(LEASE_MS / 3, () => ledger.renew())
}
