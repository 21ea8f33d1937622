/** Rows of a partition that is PUBLISHED, or has left its table and was not summed yet, count in the source: they are compared there before the archive lets go of its files. */
import type { SameKeys } from '../../model/archive/parquet-port.ts'
import type { TableName } from '../../model/copy/column-type.ts'
import type { SluiceError } from '../../shared/errors.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import { tableNamed } from '../erase/found.ts'
import { conditionOf, type ArchiveContext } from './context.ts'
import { elsewhereCommand, gone, notAsArchived, removedByHand, restoreCommand } from './refusals.ts'
import { rowsNow, rowsText, type Place } from './rows-now.ts'
import { attachedByHand, detachedTable, partitionNow } from './detached-table.ts'

/**
 * @param standing tables between the bounds of a partition that is gone; none of one that is a table still
 * @returns null where its rows are to be brought back from the files, into a table of their own or beside others
 * @throws SluiceError PARTITION_CHANGED where its table is there and no partition of this table, or has left it and was moved
 */
export async function publishedPlace(
  context: ArchiveContext,
  partition: ArchivedPartition,
  standing: readonly TableName[],
): Promise<Place | null> {
  if (partition.native === null) return { table: context.table, where: conditionOf(context, partition) }
  if (partition.away) return placeAway(context, partition)
  const own = await partitionNow(context, partition.native)
  if (own !== null) return { table: own, where: null }
  const [other, ...more] = standing
  if (other === undefined) throw gone(context.name, partition)
  const found = more.length > 0 ? null : await tableNamed(context, other)
  return found === null ? null : { table: found, where: null }
}

/**
 * Why a partition whose rows count in the source is not exported again: archived rows are gone there, and the export would take the place of what may be their only copy.
 * Rows that were changed or came later are no reason, nor is one that a plain table has in another period. A row that got another key is taken for one that is gone.
 * @param same counts rows that stand there under keys of archived ones; null where this run exported them: then only a partition that was emptied is refused
 * @returns null where none is gone, none was archived, or the partition is not there; without a key, where it has as many rows as were archived, or more
 * @throws SluiceError as `rowsNow`
 */
export async function lostRefusal(
  context: ArchiveContext,
  partition: ArchivedPartition,
  same: (() => Promise<SameKeys | null>) | null,
): Promise<SluiceError | null> {
  const there = await standingRows(context, partition)
  if (there === null || partition.digest === null || partition.digest.rows === 0n) return null
  if (there.rows === 0n) return emptied(context, partition)
  if (same === null) return null
  const archived = partition.digest.rows
  const kept = await same()
  if (kept !== null && kept.rows >= archived) return null
  const found = await rowsNow(context, partition, there.place, async () => ({ rows: 0n, keys: [] }))
  const isLost = found.kind === 'told' ? found.missing.rows > 0n : found.kind === 'untold' && found.rows < archived
  return isLost ? removed(context, partition, rowsText(found, archived)) : null
}

/** Whether fewer rows than were archived stand in the table of a partition that has not begun to leave, by a count. */
export async function hasFewer(context: ArchiveContext, partition: ArchivedPartition): Promise<boolean> {
  if (partition.away || partition.leaving) return false
  const there = await standingRows(context, partition)
  return there !== null && there.rows < (partition.digest?.rows ?? 0n)
}

/** Null where the partition is not there. */
async function standingRows(
  context: ArchiveContext,
  partition: ArchivedPartition,
): Promise<{ readonly place: Place; readonly rows: bigint } | null> {
  const place = await publishedPlace(context, partition, [])
  if (place === null) return null
  await using view = await context.store.source(context.interrupt.abort)
  const { rows } = await view.extent(place.table, place.where, true)
  return { place, rows }
}

/** Where a table stands that has left its parent, or was attached to it again by hand; null where it was dropped. @throws SluiceError PARTITION_CHANGED where it was moved */
async function placeAway(context: ArchiveContext, partition: ArchivedPartition): Promise<Place | null> {
  const again = await attachedByHand(context, partition)
  const attached = again === null ? null : await tableNamed(context, again)
  if (attached !== null) return { table: attached, where: null }
  const table = await detachedTable(context, partition)
  return table === null ? null : { table, where: null, isOwn: true }
}

/** None of the archived rows stands in the source any more. */
export function emptied(context: Pick<ArchiveContext, 'name' | 'table'>, partition: ArchivedPartition): SluiceError {
  return removed(context, partition, 'none of its rows is there any more')
}

/** Rows of a plain table with a key come back by a restore; others only into another table. */
function removed(
  { name, table }: Pick<ArchiveContext, 'name' | 'table'>,
  partition: ArchivedPartition,
  what: string,
): SluiceError {
  if (partition.native === null && table.key.length > 0) return removedByHand(name, partition, what)
  return onlyCopy(name, partition, what)
}

/** The table lacks rows that only the archive may have. @param what of them, in words */
export function onlyCopy(name: string, partition: ArchivedPartition, what: string): SluiceError {
  const into = `to have the archived rows, bring them into another table: ${elsewhereCommand(name, partition)}`
  const asChanged = restoreCommand(name, partition, '--as-changed', `--confirm=${name}`)
  const letGo = `where the rows of the table are the right ones, this lets go of the archived ones: ${asChanged}`
  return notAsArchived(name, partition, what, `${into}; ${letGo}`)
}
