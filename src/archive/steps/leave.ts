/** A partition that is a table leaves its parent first, and is proved after, where nobody waits for that: PUBLISHED → DETACHING → DETACHED. */
import { equalDigests, type Digest } from '../../model/copy/rows.ts'
import { asSluiceError } from '../../shared/errors.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import { readColumns, wholeOf, type ArchiveContext, type Work } from './context.ts'
import { detachedTable, partitionsOf } from './detached-table.ts'
import { pacedDigest } from './paced-digest.ts'
import { emptied } from './published.ts'
import { changed, changedAway, droppedByHand, mustStay } from './refusals.ts'
import { detached, difference, partitionRequest, proofOf, provePublished, settled } from './take-out.ts'

/**
 * PUBLISHED → DETACHING, in the transaction in which its table leaves its parent. From then on nobody reaches its rows, and they count where the table stands now.
 * @param proved whether this run has just read all of its files
 * @throws SluiceError TARGET_BUSY where locks were not to be had, STOPPED, PARTITION_CHANGED where it is not there or has other columns, LEASE_LOST,
 * ARCHIVE_CONFLICT, PROOF_FAILED
 */
export async function leaveParent(context: ArchiveContext, { partition, held }: Work, proved: boolean): Promise<void> {
  await provePublished(context, partition, proved)
  const { ledger, emit, name, waits, interrupt, leaving } = context
  // What was exported again after it had left has nothing to leave any more.
  if (partition.away) return ledger.move(held, 'PUBLISHED', 'DETACHING', { error: null })
  if (partition.leaving && (await endLeaving(context, { partition, held })) === 'left') return
  if (partition.held !== null) throw mustStay(context, partition)
  const closing = ledger.closing(held, 'PUBLISHED', 'DETACHING', { away: true, error: null })
  const { end, tries, longestMs } = await leaving(() =>
    partitionsOf(context).leave({
      ...partitionRequest(context, partition, closing),
      ...waits,
      stop: interrupt.stop,
      keep: ledger.keeping(held),
      // Noted before it begins: killed anywhere behind that, whoever comes next asks the system how far it is.
      begun: ledger.closing(held, 'PUBLISHED', 'PUBLISHED', { leaving: true, error: null, unheld: true }),
      left: ledger.closing(held, 'PUBLISHED', 'DETACHING', { away: true, leaving: false, error: null }),
    }),
  )
  settled(end, context, partition, () => changed(name, partition, 'it has other columns than were archived'))
  const again = tries === 0 ? '' : `after ${tries} ${tries === 1 ? 'try' : 'tries'} in vain, `
  const message = `${partition.label} left the table: ${again}locks were wanted or held for ${Math.ceil(longestMs)} ms at most`
  emit({ type: 'log', level: 'note', table: name, message })
}

/**
 * Ends a detach that an earlier run began outside of a transaction, or forgets that it was about to.
 * @returns `left`: PUBLISHED → DETACHING; `in`: its table has never left
 * @throws SluiceError TARGET_BUSY where statements that began before it are still running, PARTITION_CHANGED where the table is not there, LEASE_LOST
 */
export async function endLeaving(context: ArchiveContext, { partition, held }: Work): Promise<'left' | 'in'> {
  const { ledger, name, waits, interrupt } = context
  const end = await context.leaving(() =>
    partitionsOf(context).endLeave({
      ...partitionRequest(
        context,
        partition,
        ledger.closing(held, 'PUBLISHED', 'DETACHING', { away: true, leaving: false, error: null }),
      ),
      ...waits,
      stop: interrupt.stop,
    }),
  )
  if (end === 'in') {
    await ledger.move(held, 'PUBLISHED', 'PUBLISHED', { leaving: false, error: null })
    return 'in'
  }
  settled(end, context, partition, () => changed(name, partition, 'it has other columns than were archived'))
  return 'left'
}

/**
 * DETACHING → DETACHED, once the rows of the table that has left come to the proof. No lock is taken that anybody else would feel.
 * @param proved whether this run has just read all of its files
 * @throws SluiceError PARTITION_CHANGED where its rows are others: they were changed between the export and the leave
 */
export async function proveAway(context: ArchiveContext, { partition, held }: Work, proved: boolean): Promise<void> {
  await provePublished(context, partition, proved)
  const now = await sumAway(context, partition)
  const proof = proofOf(partition)
  if (now?.rows === 0n && proof.rows > 0n) throw emptied(context, partition)
  if (now === null || !equalDigests(now, proof)) {
    throw changedAway(
      context.name,
      partition,
      now === null ? 'it holds a value that is none of its type' : difference(now, proof),
    )
  }
  await context.ledger.move(held, 'DETACHING', 'DETACHED', { ...detached(context), away: false })
}

/** Null where a row holds a value that is none of its type. @throws SluiceError PARTITION_CHANGED where the table is not there */
async function sumAway(context: ArchiveContext, partition: ArchivedPartition): Promise<Digest | null> {
  const { store, interrupt, name } = context
  const table = await detachedTable(context, partition)
  if (table === null) throw droppedByHand(name, partition)
  await using view = await store.source(interrupt.abort)
  const columns = readColumns(partition.columns)
  try {
    const request = { table, columns, range: wholeOf(table), where: null, ordered: false }
    return await pacedDigest(context, partition, view, request, interrupt.abort)
  } catch (thrown) {
    if (asSluiceError(thrown).code === 'VALUE_REFUSED') return null
    throw thrown
  }
}
