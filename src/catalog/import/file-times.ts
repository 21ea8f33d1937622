/** Times of commit files that a copy of the folder or a restore has changed: a reader of the log travels by those. */
import { checkpointModified, type LogListing } from '../../delta/listing.ts'
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
  const ofCheckpoint = new Map(checkpoints.map((one) => [one.version, checkpointModified(one)]))
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

/** Stores them; commit times are to be computed again afterwards. */
export function storeFileTimes(
  transaction: SqlTransaction,
  tableId: string,
  times: readonly FileTime[],
): Promise<void> {
  return setMany(transaction, { relation: 'delta_commits', key: 'version', column: 'file_mtime', tableId }, times)
}
