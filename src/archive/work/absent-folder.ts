/** The folder of an archive in which something was published has to be there: where its disk is not mounted, a new one would hide that. */
import { existsSync } from 'node:fs'
import type { ArchivedPartition, ArchivedTable } from '../ledger/record.ts'
import { parseLakeUrl, pathOfLocation } from '../../model/lake/lake-url.ts'
import { tableText } from '../../model/copy/column-type.ts'
import { SluiceError } from '../../shared/errors.ts'

type Known = Pick<ArchivedTable, 'table' | 'archive'> & {
  readonly partitions?: readonly Pick<ArchivedPartition, 'version'>[]
}

/** @throws SluiceError ARCHIVE_CONFLICT where the ledger knows of a publication and the folder on the disk is gone; never for a bucket */
export function refuseAbsentFolder({ table, archive, partitions = [] }: Known): void {
  const place = parseLakeUrl(pathOfLocation(archive))
  if (place.kind !== 'local' || partitions.every(({ version }) => version === null) || existsSync(place.path)) return
  throw new SluiceError(
    'ARCHIVE_CONFLICT',
    `the archive of ${tableText(table)} is not there: no folder ${place.path}`,
    {
      where: place.path,
      reason: 'partitions were published in it, and nothing was made in its place',
      hint: 'mount its disk, or bring the folder back, and run the same command again; where it was moved, write its new place into migration_archives.archive',
    },
  )
}
