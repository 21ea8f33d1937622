/** Adds files to the log again: a restore has removed them, and a rebuilt ledger needs them. */
import { readPartition, type ArchivedPartition } from '../ledger/record.ts'
import type { ArchiveContext } from '../steps/context.ts'
import { readdFiles } from '../steps/expire.ts'
import type { ArchiveLogState } from '../steps/log.ts'
import { proveInPlace } from '../steps/prove.ts'
import { isPublished } from '../../model/archive/state.ts'
import type { LedgerDatabase } from '../../model/run/ledger-port.ts'

/**
 * @param partitions partitions as in the new ledger
 * @param state version of the log with which the partitions were compared
 * @throws SluiceError ARCHIVE_CONFLICT, PROOF_FAILED if a file has changed since; LEASE_LOST
 */
export async function readdToLog(
  context: ArchiveContext,
  database: LedgerDatabase,
  { partitions, state }: { readonly partitions: readonly ArchivedPartition[]; readonly state: ArchiveLogState },
): Promise<void> {
  for (const partition of partitions) {
    const { label, files } = partition
    if (!isPublished(partition.state) || state.files.has(label)) continue
    const inspected = await proveInPlace(context, partition)
    await readdFiles(context, partition, inspected, async () => {
      const noted = await readPartition(database, context.archived.table, label)
      if (noted === null) throw new Error(`the ledger no longer has ${label}`)
      return noted
    })
    const message = `${label}: its ${files.length} files were read, and the log names them again`
    context.emit({ type: 'log', level: 'note', table: context.name, message })
  }
}
