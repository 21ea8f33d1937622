/** A table of the catalog whose folder lies elsewhere now. */
import { isoTime } from '../../shared/clock.ts'
import { REPEATABLE } from '../../stores/port.ts'
import { renewLease, type Lease } from '../lease.ts'
import type { ImportOptions } from './options.ts'

/**
 * Makes the place of the log that of the table. That it is the log which was imported has been found out before.
 * @throws SluiceError LEASE_LOST
 */
export async function followLog({ database, tableId, log, clock }: ImportOptions, lease: Lease): Promise<void> {
  const now = await database.now()
  await database.write(async (transaction) => {
    await renewLease(transaction, lease, now)
    await transaction.run('UPDATE delta_tables SET location = ?, updated_at = ? WHERE table_id = ?', [
      log.root,
      isoTime(clock.now()),
      tableId,
    ])
  }, REPEATABLE)
}
