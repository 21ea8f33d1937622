/**
 * Partitions that are PUBLISHED, or detached and not yet proved. Queries still read their rows from the source, so
 * the rows are compared before a commit removes their files from the Delta table.
 */
import type { SameKeys } from '../../model/archive/parquet-port.ts'
import type { TableName, TableSpec } from '../../model/copy/column-type.ts'
import { equalDigests, type Digest } from '../../model/copy/rows.ts'
import { nullOn, type SluiceError } from '../../shared/errors.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import { erasedTable } from '../erase/found.ts'
import { archivedReadColumns, partitionCondition, wholeRequest, type ArchiveContext } from './context.ts'
import { pacedDigest } from './paced-digest.ts'
import {
  changedRows,
  otherTableCommand,
  missingTableError,
  notAsArchived,
  removedByHand,
  restoreCommand,
} from './refusals.ts'
import { rowsNow, rowsNowText, type RowsPlace } from './rows-now.ts'
import { digestDifference, proofOf } from './step-end.ts'
import { attachedByHand, findDetachedTable, attachedPartition } from './detached-table.ts'

/**
 * Where the rows of a published, not yet proved partition are in the source.
 * @param attachedTables attached tables in the range of a missing partition; empty if its own table exists
 * @returns null if its rows must be restored from the files, into their own table or into several others
 * @throws SluiceError PARTITION_CHANGED if its table exists but is not a partition of this table, or was detached and
 * moved
 */
export async function publishedPlace(
  context: ArchiveContext,
  partition: ArchivedPartition,
  attachedTables: readonly TableName[],
): Promise<RowsPlace | null> {
  if (partition.native === null) return { table: context.table, where: partitionCondition(context, partition) }
  if (partition.away) return detachedPlace(context, partition)
  const own = await attachedPartition(context, partition.native)
  if (own !== null) return { table: own, where: null }
  const [other, ...more] = attachedTables
  if (other === undefined) throw missingTableError(context.name, partition)
  const found = more.length > 0 ? null : await erasedTable(context, other)
  return found === null ? null : { table: found, where: null }
}

/**
 * Error if the partition must not be exported again: archived rows are missing in the source, and the export would
 * replace what may be their only copy. Changed rows, late rows, and rows that moved to another period of a plain table
 * do not cause the error. A row with a changed key is a missing row.
 * @param same counts rows with keys of archived ones; null if this run exported the archived rows: then only an empty
 * partition is refused
 * @returns null if no row is missing, none was archived, or the partition does not exist; without a key, also if it has
 * at least as many rows as archived
 * @throws SluiceError as `rowsNow`
 */
export async function lostRefusal(
  context: ArchiveContext,
  partition: ArchivedPartition,
  same: (() => Promise<SameKeys | null>) | null,
): Promise<SluiceError | null> {
  const there = await rowsInSource(context, partition)
  if (there === null || partition.digest === null || partition.digest.rows === 0n) return null
  if (there.rows === 0n) return emptiedError(context, partition)
  if (same === null) return null
  const archived = partition.digest.rows
  const kept = await same()
  if (kept !== null && kept.rows >= archived) return null
  const found = await rowsNow(context, partition, there.place, async () => ({ rows: 0n, keys: [] }))
  const isLost = found.kind === 'keyed' ? found.missing.rows > 0n : found.kind === 'counted' && found.rows < archived
  return isLost ? removedError(context, partition, rowsNowText(found, archived)) : null
}

/**
 * Compares the attached table of a partition that an earlier run published with the archived rows: after a detach, rows
 * that differ would be missing in the parent until the user has chosen. Does nothing during a detach.
 * @throws SluiceError PARTITION_CHANGED if rows differ; errors of `publishedPlace`
 */
export async function refuseChangedTable(context: ArchiveContext, partition: ArchivedPartition): Promise<void> {
  if (partition.away || partition.leaving) return
  const place = await publishedPlace(context, partition, [])
  if (place === null) return
  const now = await tableDigest(context, partition, place.table)
  const proof = proofOf(partition)
  if (now === null || !equalDigests(now, proof)) throw changedRows(context.name, partition, changedText(now, proof))
}

/** Digest of the rows in the own table of a partition; null if a value is outside its type. */
export async function tableDigest(
  context: ArchiveContext,
  partition: ArchivedPartition,
  table: TableSpec,
): Promise<Digest | null> {
  const { store, interrupt } = context
  await using view = await store.source(interrupt.abort)
  const request = wholeRequest(table, archivedReadColumns(partition.columns))
  return await pacedDigest(context, partition, view, request, interrupt.abort).catch(nullOn('VALUE_REFUSED'))
}

/** How the rows of a table differ from the proof. @param now as `tableDigest` */
export function changedText(now: Digest | null, proof: Digest): string {
  return now === null ? 'it has a value that is not valid for its type' : digestDifference(now, proof)
}

/** Number and place of the rows in the source; null if the partition does not exist. */
async function rowsInSource(
  context: ArchiveContext,
  partition: ArchivedPartition,
): Promise<{ readonly place: RowsPlace; readonly rows: bigint } | null> {
  const place = await publishedPlace(context, partition, [])
  if (place === null) return null
  await using view = await context.store.source(context.interrupt.abort)
  const { rows } = await view.extent(place.table, place.where, true)
  return { place, rows }
}

/**
 * Table of a detached partition, also if it was attached again by hand; null if it was dropped.
 * @throws SluiceError PARTITION_CHANGED if it was moved
 */
async function detachedPlace(context: ArchiveContext, partition: ArchivedPartition): Promise<RowsPlace | null> {
  const again = await attachedByHand(context, partition)
  const attached = again === null ? null : await erasedTable(context, again)
  if (attached !== null) return { table: attached, where: null }
  const table = await findDetachedTable(context, partition)
  return table === null ? null : { table, where: null, isOwn: true }
}

/** Error: the source has none of the archived rows any more. */
export function emptiedError(
  context: Pick<ArchiveContext, 'name' | 'table'>,
  partition: ArchivedPartition,
): SluiceError {
  return removedError(context, partition, 'its rows are no longer in the table')
}

/** Error with a hint: rows of a plain table with a key can be restored; other rows only into another table. */
function removedError(
  { name, table }: Pick<ArchiveContext, 'name' | 'table'>,
  partition: ArchivedPartition,
  what: string,
): SluiceError {
  if (partition.native === null && table.key.length > 0) return removedByHand(name, partition, what)
  return onlyCopyError(name, partition, what)
}

/** Error: the table lacks rows that only the archive may have. @param what text about these rows */
export function onlyCopyError(name: string, partition: ArchivedPartition, what: string): SluiceError {
  const into = `to read the archived rows, restore them into another table: ${otherTableCommand(name, partition)}`
  const asChanged = restoreCommand(name, partition, '--as-changed', `--confirm=${name}`)
  const letGo = `if the rows of the table are right, this gives up the archived ones: ${asChanged}`
  return notAsArchived(name, partition, what, `${into}; ${letGo}`)
}
