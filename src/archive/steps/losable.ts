/**
 * Refuses restores into tables whose rows may be lost in a server crash: unlogged ones, and those of a server that does
 * not write commits to its disk. They must not have the only copy of archived rows, so the archive keeps its files.
 */
import type { TableName } from '../../model/copy/column-type.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import { nativePartitions } from './detached-table.ts'
import type { ArchiveContext } from './context.ts'
import { otherTableCommand } from './refusals.ts'

/** Error if the rows of a partition must not be only in the source; null if they survive a crash. */
export async function losableRefusal(
  context: ArchiveContext,
  partition: ArchivedPartition,
): Promise<SluiceError | null> {
  const { name, store, interrupt } = context
  const [found] = (await store.offers.losable?.find(await placesOf(context, partition), interrupt.abort)) ?? []
  if (found === undefined) return null
  const { label } = partition
  return new SluiceError('TABLE_REFUSED', `${label} cannot be restored durably: ${found.what}`, {
    where: `${name}, ${label}`,
    reason:
      'a crash of the server may delete the rows from the table, so the archive keeps its files, the only durable copy',
    hint: `${found.remedy}; then run the same command again; or restore the rows into another table: ${otherTableCommand(name, partition)}`,
  })
}

/**
 * TARGET_DENIED if the server does not guarantee that its commits are on its disk; null if they are. A restore asks
 * before it returns rows: `retractFiles` asks again before the files leave the log.
 */
export async function flushRefusal({ store, interrupt }: ArchiveContext): Promise<SluiceError | null> {
  try {
    await store.offers.durability?.flushed(interrupt.abort)
    return null
  } catch (thrown) {
    if (thrown instanceof SluiceError && thrown.code === 'TARGET_DENIED') return thrown
    throw thrown
  }
}

/**
 * Tables of the source that have the rows, or will have them after a restore. A table that a restore creates is
 * crash-safe.
 */
async function placesOf(
  context: ArchiveContext,
  { native, from, to }: ArchivedPartition,
): Promise<readonly TableName[]> {
  const { table, interrupt } = context
  if (native === null) return [table.table]
  const partitions = nativePartitions(context)
  const standing = await partitions.overlapping(table.table, { from, to }, interrupt.abort)
  const detached = await partitions.detachedTable(native.table, native.identity, interrupt.abort)
  return detached === null ? standing : [...standing, detached.table]
}
