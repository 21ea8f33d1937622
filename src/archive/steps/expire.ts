/**
 * Expires an archived partition: records EXPIRED in the ledger, then removes its files from the Delta table in one
 * commit. The files themselves stay until a sweep.
 */
import type { InspectedFile } from '../../model/archive/archived-file.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import { whileClaimed, type Reload } from './claimed.ts'
import type { ArchiveContext, ClaimedPartition } from './context.ts'
import { proveArchived, proveLogged } from './prove.ts'
import { addFilesAgain, retractFiles } from './publish.ts'
import { destroyedError, leaseLostError } from './refusals.ts'

/**
 * DROPPED → EXPIRED, or the end of an interrupted expiry. The state changes only if the partition has no hold.
 * @param by user who requested it
 * @throws SluiceError ARCHIVE_CONFLICT if the log does not name its files; TARGET_DENIED if commits of the server may
 * be lost in a crash; ARCHIVE_FOREIGN, LEASE_LOST
 */
export async function expirePartition(
  context: ArchiveContext,
  { partition, held }: ClaimedPartition,
  by: string,
): Promise<void> {
  if (partition.state === 'DROPPED') {
    await proveLogged(context, partition)
    await context.store.offers.durability?.flushed(context.interrupt.abort)
    await context.ledger.move(held, 'DROPPED', 'EXPIRED', { retracted: false, expired: { by }, error: null })
  }
  await endExpiry(context, {
    partition: { ...partition, retracted: partition.state === 'EXPIRED' && partition.retracted },
    held,
  })
}

/** Ends the expiry of an EXPIRED partition: removes its files from the Delta table, if this was not done yet. */
export async function endExpiry(context: ArchiveContext, { partition, held }: ClaimedPartition): Promise<void> {
  if (partition.retracted) return
  // Use the clock of the database, as for all times in the ledger: the retention is measured from this time.
  await retractFiles(context, { partition, held }, 'expire', await context.ledger.now())
  await context.ledger.move(held, 'EXPIRED', 'EXPIRED', { retracted: true, logged: [] })
}

/**
 * Adds files of a partition to the log again, after a commit has removed them. The state does not change.
 * @param inspected the files as just read
 * @throws SluiceError LEASE_LOST if another program works on it, or its state has changed; ARCHIVE_CONFLICT
 */
export async function readdFiles(
  context: ArchiveContext,
  { label, state }: Pick<ArchivedPartition, 'label' | 'state'>,
  inspected: readonly InspectedFile[],
  reload: Reload,
): Promise<void> {
  await whileClaimed(context, label, reload, async ({ partition, held }) => {
    const { version } = await addFilesAgain(context, { partition: { ...partition, state }, held }, inspected)
    const logged = inspected.map((file) => file.name)
    await context.ledger.move(held, state, state, { version, logged, error: null })
  })
}

/**
 * EXPIRED → DROPPED: reads its files completely, and adds them to the Delta table again.
 * @returns a new claim: the log already has a commit with the fencing token of the old one
 * @throws SluiceError PROOF_FAILED, ARCHIVE_CONFLICT if a file differs from its proof; PARTITION_STATE, LEASE_LOST
 */
export async function unexpire(
  context: ArchiveContext,
  { partition, held }: ClaimedPartition,
  reload: () => Promise<ArchivedPartition>,
): Promise<ClaimedPartition> {
  const { ledger, name } = context
  if (partition.sweptMs !== null) throw destroyedError(name, partition)
  const paths = partition.files.map(({ path }) => path)
  // Record this first: after a kill, a run or an erasure must have the paths that the log may name.
  await ledger.move(held, 'EXPIRED', 'EXPIRED', { retracted: false, logged: paths })
  const inspected = await proveArchived(context, partition)
  const { version } = await addFilesAgain(context, { partition: await reload(), held }, inspected)
  await ledger.move(held, 'EXPIRED', 'DROPPED', { version, logged: paths, expired: null, error: null })
  const again = await ledger.claim(held.label, null)
  if (again === null) throw leaseLostError(name, held)
  return { partition: await reload(), held: again }
}
