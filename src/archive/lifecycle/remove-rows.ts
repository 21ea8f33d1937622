/**
 * Rows of a plain table leave it in ranges. Before the first of them goes, the sums of all ranges have to add up to what is archived and still there: then no
 * range holds a row that the archive has not, and each is removed only while it comes to its sum.
 */
import { equalDigests, type Digest } from '../../model/copy/rows.ts'
import type { Range } from '../../model/copy/range.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import {
  added,
  conditionOf,
  progress,
  requestOf,
  sharedColumns,
  fitNow,
  wholeOf,
  type ArchiveContext,
  type Work,
} from './context.ts'
import { changedAfter } from './refusals.ts'
import { refuseFreshValues } from './other-columns.ts'
import { proofOver } from './prove.ts'
import { difference, settled } from './step-end.ts'

/** Rows of one transaction: short enough for those who wait for its locks. */
const ROWS = 20_000

/** DETACHED → DROPPED. @throws SluiceError PARTITION_CHANGED, LEASE_LOST, STOPPED */
export async function removeRows(context: ArchiveContext, { partition, held }: Work): Promise<void> {
  const { ledger, interrupt, store, table, name, pace } = context
  const { shared } = fitNow(context, partition)
  const whole = await proofOver(
    context,
    partition,
    shared.map(({ file }) => file),
  )
  // Without transactions a range may be half gone, and its store alone knows that the rest of it was proved: it is always asked for the same one.
  const bytesOfRow = whole.rows === 0n ? 0 : Number(partition.sourceBytes ?? 0n) / Number(whole.rows)
  const ranges =
    store.can.atomic === 'row'
      ? [{ range: wholeOf(table), digest: whole }]
      : await provedRanges(context, partition, whole, bytesOfRow)
  const target = store.target()
  if (target.remove === undefined) throw new Error('the store removes no rows')
  const tell = progress(context, partition, 'removing', whole.rows)
  const where = conditionOf(context, partition)
  const columns = sharedColumns(shared)
  let removed = partition.removed
  for (const [i, { range, digest }] of ranges.entries()) {
    await pace?.(Number(digest.rows) * bytesOfRow, interrupt.stop)
    throwIfAborted(interrupt.stop)
    const after = added(removed, digest)
    const to = i === ranges.length - 1 ? 'DROPPED' : 'DETACHED'
    const closing = ledger.closing(held, 'DETACHED', to, { removed: after, error: null })
    const end = await target.remove({ table, columns, range, where, expect: digest, closing, signal: interrupt.abort })
    settled(end, context, partition, (how) => changedAfter(name, partition, how))
    removed = after
    tell(removed.rows, 0n, i === ranges.length - 1)
  }
  if (ranges.length === 0) await ledger.move(held, 'DETACHED', 'DROPPED', { error: null })
}

type Proved = { readonly range: Range; readonly digest: Digest }

async function provedRanges(
  context: ArchiveContext,
  partition: Work['partition'],
  whole: Digest,
  bytesOfRow: number,
): Promise<readonly Proved[]> {
  const { store, table, interrupt, name, pace } = context
  await using view = await store.source(interrupt.abort)
  await refuseFreshValues(context, partition, view)
  const request = requestOf(context, partition, table)
  const ranges: Proved[] = []
  let sum = partition.removed
  for await (const range of view.cut(table, wholeOf(table), request.where, ROWS, interrupt.abort)) {
    const digest = await view.digest({ ...request, range }, interrupt.abort)
    await pace?.(Number(digest.rows) * bytesOfRow, interrupt.abort)
    sum = added(sum, digest)
    if (digest.rows > 0n) ranges.push({ range, digest })
  }
  if (!equalDigests(sum, whole)) throw changedAfter(name, partition, difference(sum, whole))
  return ranges
}
