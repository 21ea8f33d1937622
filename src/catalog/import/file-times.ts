/** Times of commit files that a copy of the folder or a restore has changed: a reader of the log travels by those. */
import type { LogListing } from '../../delta/listing.ts'
import type { SqlReader, SqlTransaction } from '../../model/run/sql-port.ts'
import type { Versions } from './commit-clock.ts'
import { setMany } from './set-many.ts'

type FileTime = readonly [version: number, modified: number]

/** Versions whose file has another time than the catalog holds, with the one of the log, ms. Versions that the log does not hold any more are left out. */
export async function changedFileTimes(
  reader: SqlReader,
  { tableId, from, to }: Versions,
  { commits, checkpoints }: LogListing,
): Promise<readonly FileTime[]> {
  const ofCommit = new Map(commits.map(({ version, modified }) => [version, modified]))
  // A version without its commit has the time of its checkpoint.
  const ofCheckpoint = new Map(
    checkpoints.map(({ version, files }) => [version, Math.min(...files.map(({ modified }) => modified))]),
  )
  const rows = await reader.all(
    'SELECT version, file_mtime, log_bytes FROM delta_commits WHERE table_id = ? AND version >= ? AND version <= ?',
    [tableId, from, to],
  )
  return rows.flatMap(([version, stored, bytes]): FileTime[] => {
    const modified = (bytes === null ? ofCheckpoint : ofCommit).get(Number(version))
    if (modified === undefined || Math.floor(modified) === stored) return []
    return [[Number(version), Math.floor(modified)]]
  })
}

/** Stores them; commit times are to be computed again afterwards. @param listing of the whole log */
export async function storeFileTimes(
  transaction: SqlTransaction,
  { tableId, from }: Versions,
  times: readonly FileTime[],
  { commits }: LogListing,
): Promise<void> {
  const at = { relation: 'delta_commits', key: 'version', tableId } as const
  await setMany(transaction, { ...at, column: 'file_mtime' }, times)
  // The first version has the time that commits before it push it to: those that the log has, and no others.
  const ahead = commits.reduce(
    (most, { version, modified }) => (version < from ? Math.max(most, Math.floor(modified) - version) : most),
    -Infinity,
  )
  const first = times.filter(([version]) => version === from)
  const pushed = first.map(([version, modified]) => [version, Math.max(modified, version + ahead)] as const)
  await setMany(transaction, { ...at, column: 'commit_time' }, pushed)
}
