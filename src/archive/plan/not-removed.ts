/** Compares archived rows that are still in the source with their proof. */
import {
  fitNow,
  archivedReadColumns,
  partitionRowRequest,
  sharedColumns,
  wholeRequest,
  type ArchiveContext,
} from '../steps/context.ts'
import { differing, type ArchiveFinding } from '../steps/find-damage.ts'
import { proofOver } from '../steps/prove.ts'
import { attachedPartition } from '../steps/detached-table.ts'
import { NO_PARTITION } from './missing-partitions.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import { SluiceError } from '../../shared/errors.ts'
import { equalDigests, type Digest } from '../../model/copy/rows.ts'
import { fileColumns } from '../types/fit.ts'

/**
 * Compares the rows of a partition in the source with their proof.
 * @returns `none` if the source has no rows or table to compare; a finding if they differ
 */
export async function compareRemaining(
  context: ArchiveContext,
  partition: ArchivedPartition,
): Promise<ArchiveFinding | 'equal' | 'none'> {
  const { digest } = partition
  let now: Digest | null
  try {
    now = digest === null ? null : await digestNow(context, partition)
  } catch (thrown) {
    // A row with a value outside of its type was not proved, so the rows differ.
    if (!(thrown instanceof SluiceError) || thrown.code !== 'VALUE_REFUSED') throw thrown
    return differing(partition, thrown.message)
  }
  if (now === null && partition.state === 'PUBLISHED' && partition.native !== null && !partition.away) {
    return differing(partition, NO_PARTITION)
  }
  if (digest === null || now === null) return 'none'
  if (equalDigests(now, await expectedNow(context, partition))) return 'equal'
  const rows =
    now.rows === digest.rows
      ? 'the same number of rows, but different values'
      : `${now.rows} rows in the source, ${digest.rows} in the archive`
  return differing(partition, rows)
}

/** Expected digest of a partition's rows in the source: the proof, limited to columns that the table still has. */
export async function expectedNow(context: ArchiveContext, partition: ArchivedPartition): Promise<Digest> {
  const isAway = partition.native !== null && (partition.state !== 'PUBLISHED' || partition.away)
  const columns = isAway ? partition.columns : fileColumns(fitNow(context, partition).shared)
  return proofOver(context, partition, columns)
}

/** Digest of the rows of a partition that are in the source; null if some were removed, or the table is missing. */
export async function digestNow(context: ArchiveContext, partition: ArchivedPartition): Promise<Digest | null> {
  const { store, table, interrupt } = context
  const { state, native, removed, restoring, away } = partition
  if (state !== 'PUBLISHED' && state !== 'DETACHING' && state !== 'DETACHED') return null
  if (native === null) {
    if (removed.rows > 0n || restoring || table.columns.length === 0) return null
    await using view = await store.source(interrupt.abort)
    return await view.digest(partitionRowRequest(context, partition, table), interrupt.abort)
  }
  const isAway = state !== 'PUBLISHED' || away
  const found = isAway
    ? await store.offers.partitions?.detachedTable(native.table, native.identity, interrupt.abort)
    : await attachedPartition(context, native)
  if (found == null) return null
  await using view = await store.source(interrupt.abort)
  const columns = isAway ? archivedReadColumns(partition.columns) : sharedColumns(fitNow(context, partition).shared)
  return await view.digest(wholeRequest(found, columns), interrupt.abort)
}
