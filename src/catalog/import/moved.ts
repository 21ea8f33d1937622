/**
 * Handles a table whose folder was moved. Paths that are absolute, or leave the folder, may then name other files. So
 * the keys of files are computed again, and a log whose history would change is refused.
 */
import { checkpointModified, type CommitFile, type LogListing } from '../../delta/listing.ts'
import { parseAction } from '../../delta/parse-action.ts'
import { canonicalPath } from '../../delta/paths.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { isoTime } from '../../shared/clock.ts'
import { SluiceError } from '../../shared/errors.ts'
import { keyHash } from '../../shared/hash.ts'
import type { SqlReader, SqlTransaction } from '../../model/run/sql-port.ts'
import { utf8 } from '../export/adds.ts'
import { writeUnderLease, type Lease } from '../lease.ts'
import { stateAt } from '../query/state.ts'
import { importAgainText } from '../location-hints.ts'
import { retimeTable, type Versions } from './commit-clock.ts'
import type { ImportOptions } from './options.ts'
import { setMany } from './set-many.ts'

const PAGE_ROWS = 5000

/** A moved table whose rows are kept. */
export type MovedTable = {
  /** Former location of the table. */
  readonly before: string
  readonly stored: Versions | null
  /** Listing of the whole log. */
  readonly listing: LogListing
  /** Commits from which a reader of the log computes times. */
  readonly commits: readonly CommitFile[]
}

type FileTime = readonly [version: number, modified: number]

/**
 * Sets the table's location to the root of the log, and stores the log's file times. The caller has checked that it is
 * the imported log.
 * @param from the table whose rows are kept; null if no row is kept
 * @returns the time of the newest version if rows are kept, otherwise null
 * @throws SluiceError LOG_REWRITTEN if paths that name one file at one location name two at the other; LEASE_LOST
 */
export async function adoptLocation(
  options: ImportOptions,
  lease: Lease,
  from: MovedTable | null,
): Promise<number | null> {
  const { database, tableId, log, clock, onNote } = options
  const keys = from === null ? [] : await database.read((reader) => keysFrom(reader, options, from.before))
  const stored = from?.stored ?? null
  const times = from === null || stored === null ? [] : await changedFileTimes(database, stored, from.listing)
  const retimed = await writeUnderLease(database, lease, async (transaction) => {
    await transaction.run('UPDATE delta_tables SET location = ?, updated_at = ? WHERE table_id = ?', [
      log.root,
      isoTime(clock.now()),
      tableId,
    ])
    await setMany(transaction, { relation: 'delta_files', key: 'file_no', column: 'key_hash', tableId }, keys)
    if (from === null || stored === null) return null
    await storeFileTimes(transaction, tableId, times)
    return retimeTable(transaction, stored, await stateAt(transaction, tableId, stored.to), from.commits)
  })
  const changed = Math.max(times.length, retimed?.versions ?? 0)
  if (changed > 0) onNote(`${changed} commits now have the times of the moved files; reads by time use these times`)
  return retimed?.time ?? null
}

/**
 * Versions whose file has another time in the log than in the catalog, with the log's time, ms. Versions that the log
 * no longer has are left out. A copy or a restore of the folder changes file times, which time travel uses.
 */
async function changedFileTimes(
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

/** Stores file times; the caller must then compute commit times again. */
function storeFileTimes(transaction: SqlTransaction, tableId: string, times: readonly FileTime[]): Promise<void> {
  return setMany(transaction, { relation: 'delta_commits', key: 'version', column: 'file_mtime', tableId }, times)
}

type FileKey = readonly [fileNo: number, hash: number]

/**
 * Files whose stored key hash is wrong at the log's present root, each with its new hash.
 * @param before former location
 * @throws SluiceError LOG_REWRITTEN
 */
export async function keysFrom(
  reader: SqlReader,
  { database, tableId, log, interrupt }: Pick<ImportOptions, 'database' | 'tableId' | 'log' | 'interrupt'>,
  before: string,
): Promise<readonly FileKey[]> {
  const paths = (): AsyncIterable<readonly string[]> => pathsOf(reader, tableId, interrupt.abort)
  const apart = before === log.root ? null : await conflictingPaths(paths, before, log.root)
  if (apart !== null) {
    throw new SluiceError('LOG_REWRITTEN', `${tableId} cannot be imported from its new location: ${apart}`, {
      where: log.label,
      reason: `commits contain absolute paths, which identify other files of the table here than at ${before}`,
      hint: importAgainText(tableId, database.label),
    })
  }
  const found: FileKey[] = []
  const rows = reader.pages(
    'SELECT file_no, path, dv_id, key_hash FROM delta_files WHERE table_id = ?',
    [tableId],
    PAGE_ROWS,
  )
  for await (const page of rows) {
    throwIfAborted(interrupt.abort)
    for (const row of page) {
      const [fileNo, path, dvId, stored] = row as [number, string, string | null, number]
      const hash = keyHash(canonicalPath(path, log.root), dvId)
      if (hash !== stored) found.push([fileNo, hash])
    }
  }
  return found
}

/** All paths that the history of a table adds or removes, as in the log. */
async function* pathsOf(reader: SqlReader, tableId: string, signal: AbortSignal): AsyncIterable<readonly string[]> {
  for await (const page of reader.pages('SELECT path FROM delta_files WHERE table_id = ?', [tableId], PAGE_ROWS)) {
    throwIfAborted(signal)
    yield page.map(([path]) => String(path))
  }
  const removes = `SELECT raw FROM delta_actions WHERE table_id = ? AND kind = 'remove'`
  for await (const page of reader.pages(removes, [tableId], PAGE_ROWS)) {
    throwIfAborted(signal)
    yield page.flatMap(([raw]) => {
      const action = parseAction(utf8(raw as Uint8Array), () => `a remove of ${tableId}`)
      return action.kind === 'remove' ? [action.remove.path] : []
    })
  }
}

type Named = { readonly path: string; readonly other: string }

/**
 * Finds two paths that name one file with one of the roots, and two files with the other root: adds and removes would
 * then match differently. Keeps in memory only the paths that the two roots resolve differently. These are few, unless
 * a writer uses absolute paths.
 * @returns text about two such paths, or null
 */
async function conflictingPaths(
  paths: () => AsyncIterable<readonly string[]>,
  before: string,
  after: string,
): Promise<string | null> {
  const [byBefore, byAfter] = [new Map<string, Named>(), new Map<string, Named>()]
  for await (const page of paths()) {
    for (const path of page) {
      const [was, is] = [canonicalPath(path, before), canonicalPath(path, after)]
      if (was === is) continue
      byBefore.set(was, byBefore.get(was) ?? { path, other: is })
      byAfter.set(is, byAfter.get(is) ?? { path, other: was })
    }
  }
  if (byBefore.size === 0) return null
  for await (const page of paths()) {
    for (const path of page) {
      const [was, is] = [canonicalPath(path, before), canonicalPath(path, after)]
      const one = byBefore.get(was)
      if (one !== undefined && one.other !== is) return `"${one.path}" and "${path}" were one file, and are now two`
      const two = byAfter.get(is)
      if (two !== undefined && two.other !== was) return `"${two.path}" and "${path}" were two files, and are now one`
    }
  }
  return null
}
