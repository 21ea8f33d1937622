/** The archive of a table says what the ledger knows of it, so that holds and the calendar do not go with a ledger that is lost. */
import type { ArchivedTable } from '../ledger/record.ts'
import type { Telling } from '../steps/log.ts'
import { tableText } from '../../model/copy/column-type.ts'
import type { Run } from '../../engine/run/run-context.ts'
import type { Opened } from './each-table.ts'
import { openOwned } from './open.ts'
import { requireOrigin } from './require-origin.ts'

/**
 * No commit where the archive says it already; nothing at all where none was published.
 * @param change what is not in the ledger yet, or still is
 * @throws SluiceError ARCHIVE_FOREIGN, ARCHIVE_CONFLICT, TABLE_FEATURE; SOURCE_IO, TARGET_DENIED … where the archive cannot be read or written
 */
export async function tellArchive(
  archived: ArchivedTable,
  opened: Opened,
  run: Run,
  change: Pick<Telling, 'change'> = {},
): Promise<void> {
  const owned = await openOwned(archived, opened, run)
  await requireOrigin(owned)
  const info = { table: tableText(archived.table), run: run.runId }
  const log = await owned.log()
  await log.tell({ tableId: archived.archiveId, info, ...change }, run.interrupt.abort)
}
