/** One step of a sweep: a transaction that proves, and renews, the lease of its table. */
import { throwIfAborted } from '../shared/abort.ts'
import type { SqlDatabase, SqlReader, SqlTransaction } from '../model/run/sql-port.ts'
import { writeUnderLease, type Lease } from './lease.ts'

export type Sweep = {
  readonly database: SqlDatabase
  readonly tableId: string
  readonly lease: Lease
  /** Fires when running work must be dropped. */
  readonly abort: AbortSignal
  readonly stepRows?: number
  /** A transaction under the lease that all steps belong to; absent where each has one of its own. */
  readonly within?: SqlTransaction
}

/** Where a sweep reads. */
export function readerOf({ database, within }: Sweep): SqlReader {
  return within ?? database
}

/** One transaction of a sweep, under the lease. @throws SluiceError LEASE_LOST, or the reason of the abort */
export async function sweepStep<T>(at: Sweep, body: (transaction: SqlTransaction) => Promise<T>): Promise<T> {
  throwIfAborted(at.abort)
  if (at.within !== undefined) return body(at.within)
  return writeUnderLease(at.database, at.lease, body)
}
