/** Steps after PUBLISHED: the archive begins to count for a partition, and in the end the source removes its rows. */
import { equalDigests } from '../../model/copy/rows.ts'
import type { PartitionRequest } from '../../model/archive/port.ts'
import type { Closing } from '../../model/run/ledger-port.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import { readColumns, requestOf, type ArchiveContext, type Work } from './context.ts'
import { movedNow, partitionsOf } from './detached-table.ts'
import { proveArchived, proveLogged } from './prove.ts'
import { emptied } from './published.ts'
import { changed, changedAfter } from './refusals.ts'
import { removeRows } from './remove-rows.ts'
import { difference, proofOf, settled } from './step-end.ts'

export { difference, proofOf, settled } from './step-end.ts'

/**
 * PUBLISHED → DETACHED for a plain table: its rows stay, but no longer count.
 * @param proved this run has just read all its files; files published by an earlier run are read again, because they
 * count from now on
 * @throws SluiceError PARTITION_CHANGED if its rows differ from the archive; LEASE_LOST, ARCHIVE_CONFLICT, PROOF_FAILED
 */
export async function detachRows(context: ArchiveContext, { partition, held }: Work, proved: boolean): Promise<void> {
  await provePublished(context, partition, proved)
  await using view = await context.store.source(context.interrupt.abort)
  const now = await view.digest(requestOf(context, partition, context.table), context.interrupt.abort)
  // Exporting no rows would replace the only copy.
  if (now.rows === 0n && proofOf(partition).rows > 0n) throw emptied(context, partition)
  if (!equalDigests(now, proofOf(partition))) {
    throw changed(context.name, partition, difference(now, proofOf(partition)))
  }
  await context.ledger.move(held, 'PUBLISHED', 'DETACHED', {
    ...detached(context),
    removed: { rows: 0n, sum: '0' },
    absorbs: partition.period,
  })
}

/**
 * DETACHED → DROPPED, after reading the whole archive again. Rows of a plain table are removed range by range, each
 * proved in the transaction that removes it.
 * @throws SluiceError PARTITION_CHANGED, ARCHIVE_CONFLICT, PROOF_FAILED: then nothing (more) is removed
 */
export async function dropPartition(context: ArchiveContext, work: Work): Promise<void> {
  const { partition, held } = work
  await proveArchived(context, partition)
  if (partition.native === null) return removeRows(context, work)
  const { native } = partition
  if (await partitionsOf(context).isGone(native.table, native.identity, context.interrupt.abort)) {
    const message = `${partition.label}: its detached table was dropped by hand; the archive is complete and answers queries of it`
    context.emit({ type: 'log', level: 'warn', table: context.name, message })
    return context.ledger.move(held, 'DETACHED', 'DROPPED', { error: null })
  }
  const closing = context.ledger.closing(held, 'DETACHED', 'DROPPED', { error: null })
  const end = await partitionsOf(context).drop({
    ...partitionRequest(context, partition, closing),
    // An older program detached it and recorded no definitions.
    ...(partition.own === null ? { keep: context.ledger.keeping(held) } : {}),
  })
  if (end === 'gone') {
    throw await movedNow(context, partition)
  }
  settled(end, context, partition, (how) => changedAfter(context.name, partition, how))
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

/** Facts to record when the archive begins to count: the grace period starts here. */
export function detached({ archived }: ArchiveContext): { readonly graceMs: number; readonly error: null } {
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
    // A detached table keeps its columns.
    columns: readColumns(partition.columns),
    expect: proofOf(partition),
    closing,
    signal: interrupt.abort,
  }
}
