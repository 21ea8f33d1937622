/** One step of a sweep: a transaction that checks and renews its table's lease. */
import { throwIfAborted } from '../shared/abort.ts'
import type { SqlDatabase, SqlReader, SqlTransaction } from '../model/run/sql-port.ts'
import { writeUnderLease, type Lease } from './lease.ts'

export type CatalogSweep = {
  readonly database: SqlDatabase
  readonly tableId: string
  readonly lease: Lease
  /** Fires if running work must be dropped. */
  readonly abort: AbortSignal
  readonly stepRows?: number
  /** Transaction under the lease in which all steps run; absent if each step has its own transaction. */
  readonly within?: SqlTransaction
}

/** The connection or transaction from which a sweep reads. */
export function sweepReader({ database, within }: CatalogSweep): SqlReader {
  return within ?? database
}

/** Runs one transaction of a sweep under the lease. @throws SluiceError LEASE_LOST, or the abort reason */
export async function sweepStep<T>(at: CatalogSweep, body: (transaction: SqlTransaction) => Promise<T>): Promise<T> {
  throwIfAborted(at.abort)
  if (at.within !== undefined) return body(at.within)
  return writeUnderLease(at.database, at.lease, body)
}
