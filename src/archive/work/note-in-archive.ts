/** Writes the ledger's facts to the archive of a table, so that holds and calendar survive a lost ledger. */
import type { ArchivedTable } from '../ledger/record.ts'
import type { CommitOptions } from '../steps/log.ts'
import { tableText, type TableName } from '../../model/copy/column-type.ts'
import type { Run } from '../../engine/run/run-context.ts'
import type { OpenedArchive } from './each-table.ts'
import { openOwned } from './open.ts'
import { requireOrigin } from './require-origin.ts'

/**
 * Writes the ledger's facts to the log. Makes no commit if the log has them already, or if nothing was published.
 * @param change edits the properties that are written to the log, for a caller that changes the ledger afterwards
 * @throws SluiceError ARCHIVE_FOREIGN, ARCHIVE_CONFLICT, TABLE_FEATURE; SOURCE_IO, TARGET_DENIED … if the archive
 * cannot be read or written
 */
export async function reportArchive(
  archived: ArchivedTable,
  opened: OpenedArchive,
  run: Run<'log'>,
  called: TableName,
  change: Pick<CommitOptions, 'change'> = {},
): Promise<void> {
  const owned = await openOwned(archived, opened, run, called)
  await requireOrigin(owned)
  const info = { table: tableText(archived.table), run: run.runId }
  const log = await owned.log()
  await log.updateProperties({ tableId: archived.archiveId, info, ...change }, run.interrupt.abort)
}
