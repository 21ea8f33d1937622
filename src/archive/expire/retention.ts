/** Retention of archive files that the newest version does not name: set once, kept in ledger and Delta table. */
import type { PartitionLedger } from '../ledger/partition-ledger.ts'
import type { ArchivedTable } from '../ledger/record.ts'
import type { ArchiveContext } from '../steps/context.ts'
import { retentionInWords } from '../log/retention.ts'
import { tableText } from '../../model/copy/column-type.ts'
import { SluiceError } from '../../shared/errors.ts'

/** Retention to use, ms. @throws SluiceError BAD_FLAG if it was never set; PLAN_CHANGED if shorter than recorded */
export function wantedRetention({ table, retentionMs }: ArchivedTable, asked: number | undefined): number {
  if (asked === undefined && retentionMs === null) {
    throw new SluiceError(
      'BAD_FLAG',
      `no retention is set for files that were removed from the archive of ${tableText(table)}`,
      {
        hint: 'set it once with --retention, such as --retention 30d: expired partitions can be restored during this time',
      },
    )
  }
  if (asked !== undefined && retentionMs !== null && asked < retentionMs) {
    throw new SluiceError(
      'PLAN_CHANGED',
      `--retention is shorter than the recorded retention of ${tableText(table)}, ${retentionInWords(retentionMs)}`,
      {
        reason: 'expired partitions can be restored during the recorded retention',
        hint: 'remove --retention, or give a longer one',
      },
    )
  }
  return asked ?? retentionMs ?? 0
}

/** Writes the ledger first, then the Delta table's property, for other programs; no commit if the property is equal. */
export async function keepRetention(
  {
    ledger,
    log,
    archived,
    interrupt,
    name,
    runId,
  }: Pick<ArchiveContext, 'log' | 'archived' | 'interrupt' | 'name' | 'runId'> & {
    readonly ledger: Pick<PartitionLedger, 'keep'>
  },
  { retentionMs: before }: ArchivedTable,
  retentionMs: number,
): Promise<void> {
  if (before !== retentionMs) await ledger.keep(retentionMs)
  // The property gets the value of the ledger.
  await (
    await log()
  ).updateProperties({ tableId: archived.archiveId, info: { table: name, run: runId } }, interrupt.abort)
}
