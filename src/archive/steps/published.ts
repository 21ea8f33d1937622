/** Rows of a partition that is PUBLISHED count in their table, and are compared there before the archive lets go of its files. */
import type { TableName } from '../../model/copy/column-type.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import { tableNamed } from '../erase/found.ts'
import { conditionOf, type ArchiveContext } from './context.ts'
import { allGone, elsewhereCommand, gone, restoreCommand } from './refusals.ts'
import type { Place } from './rows-now.ts'
import { detachedTable, partitionNow } from './detached-table.ts'

/**
 * @param standing tables between the bounds of a partition that is gone; none of one that is a table still
 * @returns null where its rows are to be brought back from the files, into a table of their own or beside others
 * @throws SluiceError PARTITION_CHANGED where its table is there and no partition of this table
 */
export async function publishedPlace(
  context: ArchiveContext,
  partition: ArchivedPartition,
  standing: readonly TableName[],
): Promise<Place | null> {
  if (partition.native === null) return { table: context.table, where: conditionOf(context, partition) }
  const own = await partitionNow(context, partition.native)
  if (own !== null) return { table: own, where: null }
  const [other, ...more] = standing
  if (other === undefined) throw gone(context.name, partition)
  const found = more.length > 0 ? null : await tableNamed(context, other)
  return found === null ? null : { table: found, where: null }
}

/**
 * Why a partition whose rows count in the source is neither exported again nor let go of: it has been emptied since, and an export of nothing would take the place of the
 * only copy. Null where it holds rows, held none before, or is not there.
 */
export async function emptiedRefusal(
  context: ArchiveContext,
  partition: ArchivedPartition,
): Promise<SluiceError | null> {
  if (partition.digest === null || partition.digest.rows === 0n) return null
  const place = await placeNow(context, partition)
  if (place === null) return null
  await using view = await context.store.source(context.interrupt.abort)
  const { rows } = await view.extent(place.table, place.where, true)
  return rows === 0n ? emptied(context.name, partition) : null
}

async function placeNow(context: ArchiveContext, partition: ArchivedPartition): Promise<Place | null> {
  if (!partition.away) return publishedPlace(context, partition, [])
  const table = await detachedTable(context, partition)
  return table === null ? null : { table, where: null }
}

/** None of the archived rows stands in the source any more. */
export function emptied(name: string, partition: ArchivedPartition): SluiceError {
  if (partition.native === null) return allGone(name, partition)
  return onlyCopy(name, partition, 'none of its rows is there any more')
}

/** The table lacks rows that only the archive may have. @param what of them, in words */
export function onlyCopy(name: string, partition: ArchivedPartition, what: string): SluiceError {
  const { label } = partition
  return new SluiceError('PARTITION_CHANGED', `${label} of ${name} is not in the table as it was archived: ${what}`, {
    where: `${name}, ${label}`,
    reason: 'the archive may have the only copy of these rows, and keeps its files: nothing was changed',
    hint: `to have the archived rows, bring them into another table: ${elsewhereCommand(name, partition)}; where the rows of the table are the right ones, this lets go of the archived ones: ${restoreCommand(name, partition, '--as-changed', `--confirm=${name}`)}`,
  })
}
