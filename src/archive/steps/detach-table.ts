/** Detaches a native partition, then proves it without blocking sessions: PUBLISHED → DETACHING → DETACHED. */
import { equalDigests } from '../../model/copy/rows.ts'
import type { ArchiveContext, ClaimedPartition } from './context.ts'
import { findDetachedTable, nativePartitions } from './detached-table.ts'
import { changedText, emptiedError, tableDigest } from './published.ts'
import { changedRows, detachedChangedError, droppedByHand, holdError } from './refusals.ts'
import { detachedFacts, partitionRequest, proofOf, provePublished, settledStep } from './detach-and-drop.ts'

/**
 * PUBLISHED → DETACHING, in the transaction that detaches its table. From then on SQL on the parent does not return the
 * rows; sluice queries read them from the detached table.
 * @param proved true if this run has just read all its files
 * @throws SluiceError TARGET_BUSY if locks were not available, STOPPED, PARTITION_CHANGED if the table is missing or
 * has other columns, LEASE_LOST, ARCHIVE_CONFLICT, PROOF_FAILED
 */
export async function detachTable(
  context: ArchiveContext,
  { partition, held }: ClaimedPartition,
  proved: boolean,
): Promise<void> {
  await provePublished(context, partition, proved)
  const { ledger, emit, name, waits, interrupt, leaving } = context
  // A partition exported again after the detach is already detached.
  if (partition.away) return ledger.move(held, 'PUBLISHED', 'DETACHING', { error: null })
  if (partition.leaving && (await finishDetach(context, { partition, held })) === 'left') return
  if (partition.held !== null) throw holdError(context, partition)
  const closing = ledger.closing(held, 'PUBLISHED', 'DETACHING', { away: true, error: null })
  const { end, tries, longestMs } = await leaving(() =>
    nativePartitions(context).detach({
      ...partitionRequest(context, partition, closing),
      ...waits,
      stop: interrupt.stop,
      keep: ledger.keeping(held),
      // Recorded before the detach begins: after a kill, the next run reads the system catalogs to find its progress.
      begun: ledger.closing(held, 'PUBLISHED', 'PUBLISHED', { leaving: true, error: null, unheld: true }),
      left: ledger.closing(held, 'PUBLISHED', 'DETACHING', { away: true, leaving: false, error: null }),
    }),
  )
  settledStep(end, context, partition, () => changedRows(name, partition, 'its columns are not the archived ones'))
  const again = tries === 0 ? '' : `after ${tries} ${tries === 1 ? 'try' : 'tries'} failed, `
  const message = `${partition.label} was detached: ${again}locks were awaited or held for at most ${Math.ceil(longestMs)} ms`
  emit({ type: 'log', level: 'note', table: name, message })
}

/**
 * Finishes a detach that an earlier run began outside of a transaction, or clears `leaving` if the detach never began.
 * @returns `left`: PUBLISHED → DETACHING; `in`: its table was not detached
 * @throws SluiceError TARGET_BUSY if statements that began earlier are still running, PARTITION_CHANGED if the table is
 * missing, LEASE_LOST
 */
export async function finishDetach(
  context: ArchiveContext,
  { partition, held }: ClaimedPartition,
): Promise<'left' | 'in'> {
  const { ledger, name, waits, interrupt } = context
  const end = await context.leaving(() =>
    nativePartitions(context).completeDetach({
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
  settledStep(end, context, partition, () => changedRows(name, partition, 'its columns are not the archived ones'))
  return 'left'
}

/**
 * DETACHING → DETACHED, once the rows of the detached table equal the proof. Takes no lock that affects other sessions.
 * @param proved true if this run has just read all its files
 * @throws SluiceError PARTITION_CHANGED if its rows were changed between export and detach
 */
export async function proveDetached(
  context: ArchiveContext,
  { partition, held }: ClaimedPartition,
  proved: boolean,
): Promise<void> {
  await provePublished(context, partition, proved)
  const table = await findDetachedTable(context, partition)
  if (table === null) throw droppedByHand(context.name, partition)
  const now = await tableDigest(context, partition, table)
  const proof = proofOf(partition)
  if (now?.rows === 0n && proof.rows > 0n) throw emptiedError(context, partition)
  if (now === null || !equalDigests(now, proof))
    throw detachedChangedError(context.name, partition, changedText(now, proof))
  await context.ledger.move(held, 'DETACHING', 'DETACHED', { ...detachedFacts(context), away: false })
}
