/** Makes ledger and log equal after one of them was restored from a backup. All files have passed their proof. */
import type { ArchivedPartition } from '../ledger/record.ts'
import { whileClaimed, type Reload } from './claimed.ts'
import type { ArchiveContext } from './context.ts'
import { endExpiry } from './expire.ts'
import { losableRefusal } from './losable.ts'
import { retractRestored } from './restore.ts'

/**
 * Repairs the ledger for a DROPPED partition: records its digest, files, columns and version as the log has them.
 * @param later the partition as the log has it, whose files were just read
 * @throws SluiceError LEASE_LOST if another program works on it, or its state has changed
 */
export async function repairLedger(context: ArchiveContext, later: ArchivedPartition, reload: Reload): Promise<void> {
  const { digest, files, columns, version } = later
  if (digest === null || version === null) throw new Error(`${later.label} has no proof in the log`)
  await whileClaimed(context, later.label, reload, async ({ held }) => {
    const logged = files.map(({ path }) => path)
    await context.ledger.move(held, 'DROPPED', 'DROPPED', { digest, files, columns, version, logged, error: null })
  })
}

/**
 * Repairs the log for a RESTORED or EXPIRED partition: removes its files from the log. They stay in the log if a server
 * crash could lose the rows; the next run then tries again.
 * @throws SluiceError LEASE_LOST, ARCHIVE_CONFLICT, ARCHIVE_FOREIGN
 */
export async function repairLog(
  context: ArchiveContext,
  { label, state }: Pick<ArchivedPartition, 'label' | 'state'>,
  reload: Reload,
): Promise<void> {
  const { ledger, name, emit } = context
  await whileClaimed(context, label, reload, async ({ held }) => {
    // Record this first: after a kill, a run then continues the removal.
    await ledger.move(held, state, state, { retracted: false })
    const work = { held, partition: await reload() }
    if (state === 'EXPIRED') return endExpiry(context, work)
    const refusal = await losableRefusal(context, work.partition)
    if (refusal === null) return retractRestored(context, work)
    const message = `${label}: its files stay in the log of the archive: ${refusal.message}`
    emit({
      type: 'log',
      level: 'warn',
      table: name,
      message,
      ...(refusal.hint === undefined ? {} : { hint: refusal.hint }),
    })
  })
}
