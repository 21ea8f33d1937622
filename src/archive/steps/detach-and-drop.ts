/** Steps after PUBLISHED: a detach makes queries read the archive; a drop then removes the rows from the source. */
import { equalDigests } from '../../model/copy/rows.ts'
import type { PartitionRequest } from '../../model/archive/port.ts'
import type { Closing } from '../../model/run/ledger-port.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import { archivedReadColumns, partitionRowRequest, type ArchiveContext, type ClaimedPartition } from './context.ts'
import { detachedMovedError, nativePartitions } from './detached-table.ts'
import { proveArchived, proveLogged } from './prove.ts'
import { emptiedError } from './published.ts'
import { changedRows, changedAfter } from './refusals.ts'
import { removeArchivedRows } from './remove-rows.ts'
import { digestDifference, proofOf, requireDone } from './step-end.ts'

export { digestDifference, proofOf, requireDone as settledStep } from './step-end.ts'

/**
 * PUBLISHED → DETACHED for a plain table: its rows stay, but queries read them from the archive.
 * @param proved true if this run has just read all its files; files published by an earlier run are read again, because
 * queries read them from now on
 * @throws SluiceError PARTITION_CHANGED if its rows differ from the archive; LEASE_LOST, ARCHIVE_CONFLICT, PROOF_FAILED
 */
export async function detachRows(
  context: ArchiveContext,
  { partition, held }: ClaimedPartition,
  proved: boolean,
): Promise<void> {
  await provePublished(context, partition, proved)
  await using view = await context.store.source(context.interrupt.abort)
  const now = await view.digest(partitionRowRequest(context, partition, context.table), context.interrupt.abort)
  // Refuse: the next export would have no rows, and would replace their only copy.
  if (now.rows === 0n && proofOf(partition).rows > 0n) throw emptiedError(context, partition)
  if (!equalDigests(now, proofOf(partition))) {
    throw changedRows(context.name, partition, digestDifference(now, proofOf(partition)))
  }
  await context.ledger.move(held, 'PUBLISHED', 'DETACHED', {
    ...detachedFacts(context),
    removed: { rows: 0n, sum: '0' },
    absorbs: partition.period,
  })
}

/**
 * DETACHED → DROPPED, after reading the whole archive again. Rows of a plain table are removed range by range, each
 * proved in the transaction that removes it.
 * @throws SluiceError PARTITION_CHANGED, ARCHIVE_CONFLICT, PROOF_FAILED: then nothing (more) is removed
 */
export async function dropPartition(context: ArchiveContext, work: ClaimedPartition): Promise<void> {
  const { partition, held } = work
  await proveArchived(context, partition)
  if (partition.native === null) return removeArchivedRows(context, work)
  const { native } = partition
  if (await nativePartitions(context).isGone(native.table, native.identity, context.interrupt.abort)) {
    const message = `${partition.label}: its detached table was dropped by hand; the archive is complete, and queries read it`
    context.emit({ type: 'log', level: 'warn', table: context.name, message })
    return context.ledger.move(held, 'DETACHED', 'DROPPED', { error: null })
  }
  const closing = context.ledger.closing(held, 'DETACHED', 'DROPPED', { error: null })
  const end = await nativePartitions(context).drop({
    ...partitionRequest(context, partition, closing),
    // If an older program detached the table, its definitions are not recorded yet.
    ...(partition.own === null ? { keep: context.ledger.keeping(held) } : {}),
  })
  if (end === 'gone') {
    throw await detachedMovedError(context, partition)
  }
  requireDone(end, context, partition, (how) => changedAfter(context.name, partition, how))
}

/** Reads all files again, unless this run has just read them. */
export async function provePublished(
  context: ArchiveContext,
  partition: ArchivedPartition,
  proved: boolean,
): Promise<void> {
  if (proved) await proveLogged(context, partition)
  else await proveArchived(context, partition)
}

/** Fields to record when queries begin to read the archive: the grace period starts. */
export function detachedFacts({ archived }: ArchiveContext): { readonly graceMs: number; readonly error: null } {
  return { graceMs: archived.graceMs, error: null }
}

export function partitionRequest(
  context: ArchiveContext,
  partition: ArchivedPartition,
  closing: Closing,
): PartitionRequest {
  const { table, interrupt } = context
  if (partition.native === null) throw new Error(`${partition.label} is no table of its own`)
  return {
    parent: table.table,
    partition: partition.native.table,
    identity: partition.native.identity,
    // A detached table has the columns from before the detach.
    columns: archivedReadColumns(partition.columns),
    expect: proofOf(partition),
    closing,
    signal: interrupt.abort,
  }
}
