/** Finds the archive of a table in a folder named by the user, for a ledger that does not have it. */
import { UNNOTED, type ArchivedTable } from '../ledger/record.ts'
import type { ArchiveLogState } from '../steps/log.ts'
import { resolve } from 'node:path'
import { tableText, type TableSpec } from '../../model/copy/column-type.ts'
import { parseLakeUrl, pathOfLocation } from '../../model/lake/lake-url.ts'
import { redactUrl } from '../../shared/redact.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { Run } from '../../engine/run/run-context.ts'
import type { OpenedArchive } from '../work/each-table.ts'
import { openOwned } from '../work/open.ts'
import { archiveTablePlaces } from '../plan/new-archive.ts'

export type FoundArchive = {
  /** Folder or URI of the Delta table. */
  readonly archive: string
  readonly state: ArchiveLogState
}

/**
 * @param to the archive itself, or the folder given to `archive run --to`
 * @throws SluiceError NO_LOG if neither is a Delta table; ARCHIVE_CONFLICT if sluice did not make the Delta table, or
 * it is the archive of another table; errors of reading a log
 */
export async function archiveAt(
  to: string,
  table: TableSpec,
  opened: OpenedArchive,
  run: Run<'log'>,
): Promise<FoundArchive> {
  for (const archive of placesAt(to, table)) {
    const owned = await openOwned({ ...NOTHING, table: table.table, archive }, opened, run, table.table)
    const state = await (await owned.log()).state(run.interrupt.abort)
    if (state === null) continue
    refuseOther(archive, table, state)
    return { archive, state }
  }
  throw new SluiceError('NO_LOG', `there is no archive of ${tableText(table.table)} at ${redactUrl(to)}`, {
    where: placesAt(to, table).map(redactUrl).join(', '),
    hint: 'with --to, name the folder that contains _delta_log of the archive, or the folder that was given to archive run',
  })
}

/** True if a given folder is the archive, or the parent folder that `archive run --to` uses. */
export function isAt(archive: string, to: string, table: TableSpec): boolean {
  return placesAt(to, table).some((place) => pathOfLocation(place) === pathOfLocation(archive))
}

const NOTHING: Omit<ArchivedTable, 'table' | 'archive'> = {
  archiveId: '',
  timeColumn: null,
  calendar: '',
  stored: { columns: [], partitionColumn: '', mapped: false, sortBy: [] },
  graceMs: 0,
  origin: null,
  ...UNNOTED,
}

function placesAt(to: string, table: TableSpec): readonly string[] {
  const place = parseLakeUrl(to)
  return [place.kind === 'bucket' ? place.root : resolve(place.path), ...new Set(archiveTablePlaces(to, table))]
}

function refuseOther(archive: string, { table }: TableSpec, { metadata }: ArchiveLogState): void {
  const name = tableText(table)
  const own = metadata.configuration?.['sluice.table'] ?? null
  if (own === name) return
  throw new SluiceError(
    'ARCHIVE_CONFLICT',
    own === null
      ? 'this Delta table is not an archive: its properties do not record an archived table'
      : `this is the archive of ${own}, not of ${name}`,
    { where: redactUrl(archive), hint: 'nothing was changed; name the archive of this table with --to' },
  )
}
