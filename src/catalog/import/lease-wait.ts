/** Takes a table's lease, and waits for its owner up to the caller's timeout. */
import { retryFor } from '../../shared/retry-call.ts'
import type { ImportOptions } from './options.ts'
import { acquireLease, type Lease } from '../lease.ts'

/** @throws SluiceError TABLE_LOCKED after `waitMs`; the stop reason */
export async function waitForLease(
  options: Pick<ImportOptions, 'database' | 'tableId' | 'holder' | 'clock' | 'waitMs' | 'interrupt' | 'onNote'>,
): Promise<Lease> {
  const { database, tableId, holder } = options
  return await retryFor('TABLE_LOCKED', options)(() => acquireLease(database, tableId, holder))
}
