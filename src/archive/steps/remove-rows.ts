/**
 * Removes rows of a plain table in ranges. Before the first row is removed, the digests of all ranges must add up to
 * the digest of the archived rows that are not removed yet: this proves that every row in the ranges is archived. A
 * range is removed only while its digest is unchanged. Otherwise rows are removed by key (`remove-archived`).
 */
import { equalDigests, type Digest } from '../../model/copy/rows.ts'
import { keyMayBeNull } from '../../model/copy/column-type.ts'
import { EVERY_KEY, type Range } from '../../model/copy/range.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { addDigests } from '../../model/copy/row-hash.ts'
import {
  partitionCondition,
  progress,
  partitionRowRequest,
  sharedColumns,
  fitNow,
  wholeOf,
  type ArchiveContext,
  type ClaimedPartition,
} from './context.ts'
import { changedAfter, restoreCommand } from './refusals.ts'
import { freshValues, type FreshValues } from './other-columns.ts'
import { proofOver } from './prove.ts'
import { removeArchived } from './remove-archived.ts'
import { isAllRemoved } from '../ledger/record.ts'
import { keyPlaces } from './rows-now.ts'
import { requireDone } from './step-end.ts'
import { storedRows } from './stored-rows.ts'
import { refuseViolations } from './unchecked.ts'
import { fileColumns } from '../types/fit.ts'

/** Rows per transaction: so few that other sessions wait only briefly for its locks. */
const ROWS = 20_000

/** Number of archived rows that a store compares with its own rows in one batch. */
const COMPARED = 1000

/** DETACHED → DROPPED. @throws SluiceError PARTITION_CHANGED, ROW_REFUSED, LEASE_LOST, STOPPED */
export async function removeArchivedRows(
  context: ArchiveContext,
  { partition, held }: ClaimedPartition,
): Promise<void> {
  const { ledger, interrupt, store, table, name, pace } = context
  const { shared } = fitNow(context, partition)
  const whole = await proofOver(context, partition, fileColumns(shared))
  const bytesOfRow = whole.rows === 0n ? 0 : Number(partition.sourceBytes ?? 0n) / Number(whole.rows)
  const found =
    store.can.atomic === 'row'
      ? await wholeRange(context, partition, whole)
      : await summedRanges(context, partition, bytesOfRow)
  // If all rows were removed before, a restored row may have been moved out of the range: find it by key.
  const isByKey =
    store.can.atomic !== 'row' && isAllRemoved(partition) && whole.rows > 0n && keyPlaces(shared, table) !== null
  // If other rows are in the ranges, remove only archived rows, by key.
  if (isByKey || !equalDigests(found.sum, whole)) return removeArchived(context, { partition, held }, whole, found)
  const { ranges, fresh } = found
  const target = store.target()
  if (target.remove === undefined) throw new Error('the store cannot remove rows')
  const report = progress(context, partition, 'removing', whole.rows)
  const where = partitionCondition(context, partition)
  const columns = [...sharedColumns(shared), ...fresh.columns]
  const archived = () => storedRows(context, partition, fileColumns(shared), COMPARED)
  let removed = partition.removed
  for (const [i, { range, digest, expect }] of ranges.entries()) {
    await pace.take(Number(digest.rows) * bytesOfRow, interrupt.stop)
    throwIfAborted(interrupt.stop)
    const after = addDigests(removed, digest)
    const to = i === ranges.length - 1 ? 'DROPPED' : 'DETACHED'
    const closing = ledger.closing(held, 'DETACHED', to, { removed: after, error: null })
    const request = { table, columns, range, where, expect, archived, closing, signal: interrupt.abort }
    const end = await target.remove(request)
    if (end === 'differs' && store.can.atomic !== 'row') {
      // A row was added or removed since the digests were computed.
      const now = { ...partition, removed }
      return removeArchived(context, { partition: now, held }, whole, await summedRanges(context, now, bytesOfRow))
    }
    requireDone(end, context, partition, (how) => changedAfter(name, partition, how))
    removed = after
    report(removed.rows, 0n, i === ranges.length - 1)
  }
  if (ranges.length === 0) await ledger.move(held, 'DETACHED', 'DROPPED', { error: null })
}

/** `digest`: digest of the archived columns; `expect`: digest of these and of the columns added since the export. */
type Proved = { readonly range: Range; readonly digest: Digest; readonly expect: Digest }

/** `sum`: digest of all rows in the ranges and of removed rows; `rows`: number of rows in the table. */
type Summed = {
  readonly ranges: readonly Proved[]
  readonly sum: Digest
  readonly rows: bigint
  readonly fresh: FreshValues
}

/**
 * All rows as one range, for a store without transactions: the store computes the digest itself, and requires that new
 * columns are empty. After an interrupted removal, only the store's record shows that the remaining rows were proved.
 * The store finds this record by range and columns, so every run must use the same ones.
 */
async function wholeRange(
  context: ArchiveContext,
  partition: ClaimedPartition['partition'],
  whole: Digest,
): Promise<Summed> {
  await using view = await context.store.source(context.interrupt.abort)
  await freshValues(context, partition, view)
  const range = { range: wholeOf(context.table), digest: whole, expect: whole }
  return { ranges: [range], sum: whole, rows: whole.rows, fresh: { columns: [], values: [] } }
}

async function summedRanges(
  context: ArchiveContext,
  partition: ClaimedPartition['partition'],
  bytesOfRow: number,
): Promise<Summed> {
  const { store, table, interrupt, pace } = context
  await using view = await store.source(interrupt.abort)
  const fresh = await freshValues(context, partition, view)
  const request = partitionRowRequest(context, partition, table)
  const back = `drop the constraint, then run the same command again; or bring the rows back with ${restoreCommand(context.name, partition)}, correct them, and archive them again`
  await refuseViolations(context, partition, view, request, back)
  const ranges: Proved[] = []
  let sum = partition.removed
  const add = async (range: Range): Promise<void> => {
    const digest = await view.digest({ ...request, range }, interrupt.abort)
    const columns = [...request.columns, ...fresh.columns]
    const expect =
      fresh.columns.length === 0 ? digest : await view.digest({ ...request, columns, range }, interrupt.abort)
    await pace.take(Number(digest.rows) * bytesOfRow, interrupt.abort)
    sum = addDigests(sum, digest)
    if (digest.rows > 0n) ranges.push({ range, digest, expect })
  }
  for await (const range of view.cut(table, EVERY_KEY, request.where, ROWS, interrupt.abort)) await add(range)
  // The export refuses rows without a key, so such a row was added later. With it, the digests differ.
  if (keyMayBeNull(table).length > 0) await add({ by: 'nullKey' })
  return { ranges, sum, rows: sum.rows - partition.removed.rows, fresh }
}
