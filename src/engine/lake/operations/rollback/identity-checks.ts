/** Checks that a log belongs to a table: compares the table's id, the bytes of commits, and the names of files. */
import type { ImportHead } from '../../../../catalog/import/head.ts'
import { onlyInOneText, filesOfCatalog, filesOfLog } from '../../../../catalog/import/same-files.ts'
import { compareImportedCommits } from '../../../../catalog/import/same-log.ts'
import { commitsOnlyInCatalog, onlyInCatalogText, versionsText } from '../../../../catalog/only-in-catalog.ts'
import { onlyInOne, checksumsOf, type FileChecksums } from '../../../../delta/file-checksums.ts'
import type { Snapshot } from '../../../../delta/snapshot.ts'
import type { DeltaTable } from '../../../../delta/table.ts'
import type { LogStore } from '../../../../model/lake/log-store.ts'
import type { SqlDatabase } from '../../../../model/run/sql-port.ts'

/** Problem text if the files of a version differ. */
export const FILES_DIFFER = 'log and catalog hold different tables'

export type IdentityCheck = {
  readonly name: string
  readonly equal: boolean
  readonly log: string
  readonly catalog: string
  /** Text of the problem if `log` and `catalog` are not equal; otherwise unused. */
  readonly problem: string
}

type Sides = {
  readonly head: ImportHead
  /** Current version of the catalog. */
  readonly version: number
  readonly database: SqlDatabase
  readonly log: LogStore
  readonly table: DeltaTable
  /** Snapshot of `version`. */
  readonly snapshot: Snapshot
}

/**
 * Reads the files of the log, because the catalog has no complete version to compare them with.
 * @throws SluiceError of the log
 */
export async function logOnlyCheck(snapshot: Snapshot, signal: AbortSignal): Promise<IdentityCheck> {
  const said = countsText(snapshot.version, await checksumsOf(filesOfLog(snapshot, signal)))
  return { name: 'log re-read', equal: true, log: said, catalog: 'no complete version', problem: '' }
}

/**
 * Compares all commits, and the files of the version, on both sides. If the log begins at a checkpoint, no commit shows
 * the files of the first version, so these are compared as well.
 * @throws SluiceError of an unreadable log
 */
export async function identityChecks(sides: Sides, signal: AbortSignal): Promise<readonly IdentityCheck[]> {
  const { head, version, database, log, table, snapshot } = sides
  const { metadata } = await snapshot.head(signal)
  const { tableId } = head
  const historyFrom = head.historyFrom ?? 0
  const listing = await table.listing(signal)
  const { compared, other } = await compareImportedCommits(database, tableId, listing, log, signal)
  const { from: logFrom, checkpoint } = await table.buildableHistory(signal)
  const gone = await commitsOnlyInCatalog(database, { tableId, from: historyFrom, logFrom }, listing)
  const first = Math.max(logFrom, historyFrom)
  const older = checkpoint !== null && first < version ? [await sameFiles(sides, first, 'first version', signal)] : []
  return [
    {
      name: 'table id',
      equal: head.metadataId === null || metadata.id === head.metadataId,
      log: metadata.id,
      catalog: head.metadataId ?? 'unknown',
      problem: `the table id is ${metadata.id} in the log, but ${String(head.metadataId)} in the catalog`,
    },
    {
      name: 'commits as imported',
      equal: other.length === 0 && gone.length === 0,
      log: `${compared - other.length} of ${compared} have the bytes that were imported`,
      catalog: onlyInCatalogText(gone),
      problem: [otherText(other), onlyInCatalogText(gone)].filter((text) => text !== '').join('; '),
    },
    ...older,
    await sameFiles(sides, version, 'log re-read', signal),
  ]
}

/** Compares the files of a version. */
async function sameFiles(
  { head, version: current, database, log, table, snapshot }: Sides,
  version: number,
  name: string,
  signal: AbortSignal,
): Promise<IdentityCheck> {
  const logFiles = filesOfLog(
    version === current ? snapshot : await table.snapshot({ version }, { allowRefused: true, signal }),
    signal,
  )
  const catalogFiles = filesOfCatalog(database, head.tableId, version, log.root)
  const [logSums, catalogSums] = [await checksumsOf(logFiles), await checksumsOf(catalogFiles)]
  const apart = logSums.differentParts(catalogSums)
  const equal = apart.size === 0 && logSums.files === catalogSums.files && logSums.bytes === catalogSums.bytes
  const { one, other } = equal
    ? { one: [], other: [] }
    : await onlyInOne(logFiles, catalogFiles, apart, Math.max(logSums.files, catalogSums.files))
  const names = onlyInOneText(one, other)
  const where = version === current ? FILES_DIFFER : `${FILES_DIFFER} at version ${version}`
  return {
    name,
    equal,
    log: countsText(version, logSums),
    catalog: countsText(version, catalogSums),
    problem: names === '' ? where : `${where}: ${names}`,
  }
}

function otherText(other: readonly number[]): string {
  if (other.length === 0) return ''
  return `${versionsText(other)} of the log ${other.length === 1 ? 'is not the one that was' : 'are not those that were'} imported`
}

function countsText(version: number, { files, bytes }: FileChecksums): string {
  return `v${version}: ${files} files, ${bytes} bytes`
}
