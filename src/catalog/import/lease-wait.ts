/** Takes a table's lease, and waits for its owner up to the caller's timeout. */
import type { Interrupt } from '../../shared/abort.ts'
import type { Clock } from '../../shared/clock.ts'
import { retryFor } from '../../shared/retry-call.ts'
import type { SqlDatabase } from '../../model/run/sql-port.ts'
import { acquireLease, type CatalogLeaseHolder, type Lease } from '../lease.ts'

/** @throws SluiceError TABLE_LOCKED after `waitMs`; the stop reason */
export async function waitForLease(options: {
  readonly database: SqlDatabase
  readonly tableId: string
  readonly holder: CatalogLeaseHolder
  readonly clock: Clock
  readonly waitMs: number
  readonly interrupt: Interrupt
  readonly onNote: (message: string) => void
}): Promise<Lease> {
  const { database, tableId, holder } = options
  return await retryFor('TABLE_LOCKED', options)(() => acquireLease(database, tableId, holder))
}
