/** Says in the ledger that this program lives, so that what it holds stays its own. */
import type { LedgerDatabase } from '../../../model/copy/port.ts'
import { beat } from '../../../stores/common/lease/heartbeat.ts'
import { renewal } from '../ledger/claims.ts'
import { LEASE_MS, type Owner } from '../ledger/owner.ts'
import { runRenewal } from '../ledger/killed-runs.ts'
import { planningRenewal } from '../ledger/planning.ts'

/**
 * @param also what else is done each time, while workers may all be waiting for something
 * @returns the timer; whoever clears it lets the leases run out
 */
export function beatOfCopy(database: LedgerDatabase, owner: Owner, also: () => Promise<void>): NodeJS.Timeout {
  return beat(LEASE_MS / 3, async () => {
    await database.batch([
      renewal(database, owner.id),
      planningRenewal(database, owner.id),
      runRenewal(database, owner),
    ])
    await also()
  })
}
