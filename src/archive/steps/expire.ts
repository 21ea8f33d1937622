/** An archived partition leaves the archive for good. The ledger says so first, one commit lets go of its files, and these stay until they are swept. */
import type { ExaminedFile } from '../../model/archive/archived-file.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import type { ArchiveContext, Work } from './context.ts'
import { proveArchived, proveLogged } from './prove.ts'
import { publishAgain, retractFiles } from './publish.ts'
import { destroyed, lost } from './refusals.ts'

/**
 * DROPPED → EXPIRED, or to the end of an expiry that was broken off. The ledger moves only while nobody holds the partition.
 * @param by who says so
 * @throws SluiceError ARCHIVE_CONFLICT where the log does not name its files; ARCHIVE_FOREIGN, LEASE_LOST
 */
export async function expirePartition(context: ArchiveContext, { partition, held }: Work, by: string): Promise<void> {
  if (partition.state === 'DROPPED') {
    await proveLogged(context, partition)
    await context.ledger.move(held, 'DROPPED', 'EXPIRED', { retracted: false, expired: { by }, error: null })
  }
  await endExpiry(context, {
    partition: { ...partition, retracted: partition.state === 'EXPIRED' && partition.retracted },
    held,
  })
}

/** EXPIRED: the Delta table lets go of its files, where that is not done yet. */
export async function endExpiry(context: ArchiveContext, { partition, held }: Work): Promise<void> {
  if (partition.retracted) return
  // Files are kept by the clock of the database, as everything here is.
  await retractFiles(context, { partition, held }, 'expire', await context.ledger.now())
  await context.ledger.move(held, 'EXPIRED', 'EXPIRED', { retracted: true, logged: [] })
}

/**
 * Files that the ledger counts on, and that the log has let go, are named by it again. The state stays.
 * @param examined the files as they were just read
 * @throws SluiceError LEASE_LOST where another program works on it, or the ledger calls it something else by now; ARCHIVE_CONFLICT
 */
export async function nameAgain(
  context: ArchiveContext,
  { label, state }: Pick<ArchivedPartition, 'label' | 'state'>,
  examined: readonly ExaminedFile[],
  reload: () => Promise<ArchivedPartition>,
): Promise<void> {
  const { ledger, name } = context
  const held = await ledger.claim(label, (await reload()).holder)
  if (held === null) throw lost(name, { label })
  try {
    const { version } = await publishAgain(context, { partition: { ...(await reload()), state }, held }, examined)
    await ledger.move(held, state, state, { version, logged: examined.map((file) => file.name), error: null })
  } finally {
    await ledger.release(held).catch(() => undefined)
  }
}

/**
 * EXPIRED → DROPPED: its files are read whole, and named by the Delta table again.
 * @returns what is held now: the log has had its word for the fence before
 * @throws SluiceError PROOF_FAILED, ARCHIVE_CONFLICT where a file is not what was proved; PARTITION_STATE, LEASE_LOST
 */
export async function unexpire(
  context: ArchiveContext,
  { partition, held }: Work,
  reload: () => Promise<ArchivedPartition>,
): Promise<Work> {
  const { ledger, name } = context
  if (partition.sweptMs !== null) throw destroyed(name, partition)
  const paths = partition.files.map(({ path }) => path)
  // Whoever goes on after a kill, or erases, finds the log as it may be.
  await ledger.move(held, 'EXPIRED', 'EXPIRED', { retracted: false, logged: paths })
  const examined = await proveArchived(context, partition)
  const { version } = await publishAgain(context, { partition: await reload(), held }, examined)
  await ledger.move(held, 'EXPIRED', 'DROPPED', { version, logged: paths, expired: null, error: null })
  const again = await ledger.claim(held.label, null)
  if (again === null) throw lost(name, held)
  return { partition: await reload(), held: again }
}
