/** Heartbeat of a copy in the ledger: keeps its leases. */
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import { startHeartbeat } from '../../../stores/common/lease/heartbeat.ts'
import { renewal } from '../ledger/claims.ts'
import { COPY_LEASE_MS, type RunOwner } from '../ledger/owner.ts'
import { runRenewal } from '../ledger/killed-runs.ts'
import { planningRenewal } from '../ledger/planning.ts'

/** @param also runs at each heartbeat, even if all workers wait @returns the timer; once cleared, the leases expire */
export function startCopyHeartbeat(
  database: LedgerDatabase,
  owner: RunOwner,
  also: () => Promise<void>,
): NodeJS.Timeout {
  return startHeartbeat(COPY_LEASE_MS / 3, async () => {
    await database.batch([
      renewal(database, owner.id),
      planningRenewal(database, owner.id),
      runRenewal(database, owner),
    ])
    await also()
  })
}
