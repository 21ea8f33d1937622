/** Checks that a log is still the imported one: two histories must never be mixed. */
import { createHash } from 'node:crypto'
import type { MetadataAction } from '../../delta/actions.ts'
import type { CommitFile, LogListing } from '../../delta/listing.ts'
import { logPathOf } from '../../delta/log-path.ts'
import type { LogStore } from '../../model/lake/log-store.ts'
import { SluiceError } from '../../shared/errors.ts'
import { shellQuote } from '../../shared/shell.ts'
import type { SqlDatabase, SqlReader } from '../../model/run/sql-port.ts'
import { importAgainText } from '../location-hints.ts'
import type { ImportHead } from './head.ts'

/** Maximum number of older commits with a changed file time that an import reads to compare their bytes. */
const MAX_READ = 100

type At = {
  readonly head: Pick<ImportHead, 'tableId'>
  readonly current: number
  readonly listing: LogListing
  readonly log: LogStore
  readonly database: SqlDatabase
  /**
   * True if the log was moved: then all commits are compared by their bytes. A later check could not find a changed
   * commit, because the file times of the moved log are stored after this check.
   */
  readonly moved?: boolean
  readonly signal: AbortSignal
  readonly onNote: (message: string) => void
}

type Known = { readonly bytes: number | null; readonly modified: number | null; readonly digest: Uint8Array | null }

/**
 * The newest commit in the catalog. `bytes` and `digest` are null if the version is only in a checkpoint, or if an
 * older program stored its row.
 */
export type NewestKnown = {
  readonly version: number
  readonly bytes: number | null
  readonly digest: Uint8Array | null
}

/**
 * State of the catalog's newest commit in the log: `gone` if the log lacks its file, as after a cleanup, or the catalog
 * lacks its digest.
 */
export type Newest =
  | { readonly is: 'same' }
  | { readonly is: 'gone' }
  | { readonly is: 'other'; readonly why: string; readonly cut: boolean }

/** @param version the catalog's current version of the table */
export async function newestKnown(database: SqlReader, tableId: string, version: number): Promise<NewestKnown> {
  const [row] = await database.all(
    'SELECT log_bytes, log_digest FROM delta_commits WHERE table_id = ? AND version = ?',
    [tableId, version],
  )
  const [bytes, digest] = (row ?? [null, null]) as [number | null, Uint8Array | null]
  return { version, bytes, digest }
}

/**
 * Compares the catalog's newest commit with the log's, by size and digest. Reads that commit.
 * @param listing from the known version on, or of the whole log
 */
export async function newestOf(
  known: NewestKnown,
  listing: LogListing,
  log: LogStore,
  signal: AbortSignal,
): Promise<Newest> {
  const { version, bytes, digest } = known
  const { latest } = listing
  if (latest !== null && latest < version) return { is: 'other', why: endedLogText(latest, version), cut: true }
  const commit = listing.commits.find((one) => one.version === version)
  if (commit === undefined || bytes === null || digest === null) return { is: 'gone' }
  if (bytes !== commit.size) {
    return { is: 'other', why: `commit ${version} has ${commit.size} bytes, it had ${bytes}`, cut: false }
  }
  if (await hasDigest(log, commit, digest, signal)) return { is: 'same' }
  return { is: 'other', why: `commit ${version} has changed`, cut: false }
}

/** Text about a log that ends below the catalog's version. */
export function endedLogText(latest: number, current: number): string {
  const lost = latest + 1 === current ? `commit ${current} is` : `commits ${latest + 1} to ${current} are`
  return `it ends at version ${latest}, but the catalog has version ${current}: ${lost} missing`
}

/**
 * Compares the catalog's newest commit with the log's, by size and digest.
 * @returns true if the log still has that commit
 * @throws SluiceError LOG_REWRITTEN
 */
export async function checkNewest({ head, current, listing, log, database, signal }: At): Promise<boolean> {
  const newest = await newestOf(await newestKnown(database, head.tableId, current), listing, log, signal)
  if (newest.is === 'other') throw rewritten(head, log, database.label, newest.why, newest.cut)
  return newest.is === 'same'
}

/**
 * Compares older commits of both sides by size. Commits with another file time, as after a copy of the lake, are read,
 * up to a limit. For a moved log all commits are read.
 * @param most maximum number of commits to read
 * @throws SluiceError LOG_REWRITTEN
 */
export async function checkOlder(
  { head, current, listing, log, database, moved, signal, onNote }: At,
  most = MAX_READ,
): Promise<void> {
  const rows = await database.all(
    'SELECT version, log_bytes, file_mtime, log_digest FROM delta_commits WHERE table_id = ? AND version < ? AND log_bytes IS NOT NULL',
    [head.tableId, current],
  )
  const known = new Map<number, Known>(
    rows.map(([version, bytes, modified, digest]) => [
      version as number,
      { bytes: bytes as number, modified: modified as number | null, digest: digest as Uint8Array | null },
    ]),
  )
  const differ = (detail: string): SluiceError => rewritten(head, log, database.label, detail)
  const both = listing.commits.flatMap((commit) => {
    const held = known.get(commit.version)
    if (held === undefined) return []
    if (held.bytes !== commit.size)
      throw differ(`commit ${commit.version} has ${commit.size} bytes, it had ${String(held.bytes)}`)
    return [{ commit, ...held }]
  })
  const others = both.filter(({ commit, modified }) => modified !== Math.floor(commit.modified))
  // Rows of older programs have no digest to compare with.
  const chosen = (moved === true ? both : spread(others, most)).filter(({ digest }) => digest !== null)
  log.prefetch?.(
    chosen.map(({ commit }) => logPathOf(commit.name)),
    { signal },
  )
  for (const { commit, digest } of chosen) {
    if (digest !== null && !(await hasDigest(log, commit, digest, signal)))
      throw differ(`commit ${commit.version} has changed`)
  }
  if (others.length === 0) return
  onNote(
    `${others.length} older commits have another file time than at their import; ${chosen.length} ${moved === true ? 'older commits' : 'of them'} were read and have the same bytes`,
  )
}

/** At most `most` of the items, at even distances. */
function spread<T>(all: readonly T[], most: number): readonly T[] {
  const step = all.length / most
  return step <= 1 ? all : Array.from({ length: most }, (_, i) => all[Math.floor(i * step)] as T)
}

/** Log commits whose bytes differ from the imported ones, ascending, and the number compared. */
export type DifferingCommits = { readonly compared: number; readonly other: readonly number[] }

/** Compares all commits of both sides by their bytes; reads all of them. @throws SluiceError for an unreadable log */
export async function compareImportedCommits(
  database: SqlReader,
  tableId: string,
  listing: LogListing,
  log: LogStore,
  signal: AbortSignal,
): Promise<DifferingCommits> {
  const rows = await database.all(
    'SELECT version, log_bytes, log_digest FROM delta_commits WHERE table_id = ? AND log_digest IS NOT NULL',
    [tableId],
  )
  const known = new Map(
    rows.map(([version, bytes, digest]) => [Number(version), { bytes, digest: digest as Uint8Array }]),
  )
  const both = listing.commits.filter(({ version }) => known.has(version))
  log.prefetch?.(
    both.map(({ name }) => logPathOf(name)),
    { signal },
  )
  const other: number[] = []
  for (const commit of both) {
    const held = known.get(commit.version)
    if (held === undefined) continue
    // Read it even if the size differs: the store keeps a file announced by `ahead` until it is read.
    const same = await hasDigest(log, commit, held.digest, signal)
    if (!same || held.bytes !== commit.size) other.push(commit.version)
  }
  return { compared: both.length, other }
}

/**
 * True if any commit has another size or time than when it was imported. This check is enough for a table that was
 * never readable, because such a table can be discarded.
 */
export async function changedSince(
  database: SqlReader,
  { tableId }: ImportHead,
  listing: LogListing,
): Promise<boolean> {
  const rows = await database.all(
    'SELECT version, log_bytes, file_mtime FROM delta_commits WHERE table_id = ? AND log_bytes IS NOT NULL',
    [tableId],
  )
  const known = new Map(
    rows.map(([version, bytes, modified]) => [Number(version), `${String(bytes)}:${String(modified)}`]),
  )
  return listing.commits.some(
    ({ version, size, modified }) => (known.get(version) ?? `${size}:${modified}`) !== `${size}:${modified}`,
  )
}

/**
 * Compares a checkpoint's table id with the catalog's, if the commit to compare is gone.
 * @throws SluiceError LOG_REWRITTEN
 */
export function checkSameTable(
  head: ImportHead,
  { log, database: { label } }: Pick<At, 'log' | 'database'>,
  version: number,
  metadata: MetadataAction | null,
): void {
  if (metadata === null || head.metadataId === null || metadata.id === head.metadataId) return
  throw rewritten(
    head,
    log,
    label,
    `commit ${String(head.currentVersion)} is gone, and checkpoint ${version} is of table ${metadata.id}, not ${head.metadataId}`,
  )
}

/** The error for a log at another place that has no imported commit: it may have diverged. */
export function nothingCompared(
  { tableId, currentVersion, historyFrom, location }: ImportHead,
  { log, database: { label } }: Pick<At, 'log' | 'database'>,
): SluiceError {
  return new SluiceError('LOG_REWRITTEN', 'the newest imported commit cannot be compared with this log', {
    where: `${log.label}/_delta_log`,
    reason: `versions ${String(historyFrom)} to ${String(currentVersion)} were imported from ${location}, and this log no longer has the newest of them: it may be a copy into which other commits were written since`,
    hint: `to keep these versions, run sluice export-log ${shellQuote(tableId)} --to FOLDER first; ${importAgainText(tableId, label)}`,
  })
}

async function hasDigest(log: LogStore, commit: CommitFile, digest: Uint8Array, signal: AbortSignal): Promise<boolean> {
  const hash = createHash('sha256')
  for await (const chunk of log.read(`_delta_log/${commit.name}`, { signal })) hash.update(chunk)
  return hash.digest().equals(digest)
}

/**
 * The error for a log that is not the imported one.
 * @param head of the table
 * @param url of the catalog, redacted
 * @param cut true if the log only lacks its newest commits
 */
export function rewritten(
  head: Pick<ImportHead, 'tableId'>,
  log: Pick<LogStore, 'label'>,
  url: string,
  detail: string,
  cut = false,
): SluiceError {
  const again = importAgainText(head.tableId, url)
  return new SluiceError('LOG_REWRITTEN', `the log is no longer the one that was imported: ${detail}`, {
    where: `${log.label}/_delta_log`,
    reason: cut
      ? 'its newest commits were deleted, or the table was restored from a backup; the catalog still has the imported versions'
      : 'the table was replaced or restored from a backup, or its log was edited; mixing two histories would give wrong answers',
    hint: cut ? `restore the missing commits; ${again}` : again,
  })
}
