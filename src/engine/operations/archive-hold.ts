/** `archive hold` and `archive release`: partitions that have to stay where they are, and that may go again. */
import { PartitionLedger } from '../../archive/ledger/partition-ledger.ts'
import { readArchive } from '../../archive/ledger/record.ts'
import { tableText } from '../../model/copy/column-type.ts'
import { dec } from '../../model/event.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { ArchiveHoldOperation } from '../archive-operations.ts'
import { archivedTable, openSource } from '../archiving/each-table.ts'
import { ownerOf } from '../archiving/owner.ts'
import type { Ending, Run } from '../run-context.ts'

/** A partition that the ledger does not know yet can be held too. @throws SluiceError NO_SUCH_TABLE, PARTITION_STATE */
export async function archiveHold(operation: ArchiveHoldOperation, run: Run): Promise<Ending> {
  const { from, table: name, partitions, reason } = operation
  await using opened = await openSource(from, true)
  const { table } = await archivedTable(opened, name, run.interrupt.abort)
  const ledger = new PartitionLedger(opened.database, table.table, ownerOf(run))
  for (const label of partitions) {
    const known = (await readArchive(opened.database, table.table))?.partitions.find((one) => one.label === label)
    if (known?.state === 'DROPPED' && reason !== null) {
      throw new SluiceError(
        'PARTITION_STATE',
        `${label} of ${tableText(table.table)} was dropped from the source already`,
        {
          hint: 'its rows are in the archive only; sluice restore brings them back',
        },
      )
    }
    if (known === undefined) {
      if (reason === null) {
        throw new SluiceError(
          'PARTITION_STATE',
          `the ledger knows no partition ${label} of ${tableText(table.table)}`,
          {
            hint: 'sluice archive list shows those that it knows',
          },
        )
      }
      await ledger.addPartition({ label, from: null, to: null, native: null })
    }
    await ledger.hold(label, reason)
  }
  return { totals: { partitions: dec(partitions.length) } }
}
