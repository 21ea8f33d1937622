/** Reads facts of a table for listings at low cost: one read of the log if possible, DuckDB only if needed. */
import { SluiceError } from '../shared/errors.ts'
import type { LogStore } from '../model/lake/log-store.ts'
import type { ParquetRows } from '../model/lake/parquet-rows.ts'
import type { MetadataAction, ProtocolAction } from './actions.ts'
import { readCrc } from './crc.ts'
import { featureNames, readerRefusal } from './features.ts'
import { listLog, incompleteNotes, type CheckpointFiles, type CommitFile, type LogListing } from './listing.ts'
import { logHistory } from './segment.ts'
import { Snapshot, type TableCounts } from './snapshot.ts'
import { fileTimes, inCommitRule, inCommitTimeOf, readCommitInfo } from './timestamps.ts'

export type TableFacts = {
  readonly version: number
  /** First version that the log can still build; null if not even the latest can be built. */
  readonly historyFrom: number | null
  /** Why the table cannot be read: a feature, a protocol version, or a fault of its log. Null if it can be read. */
  readonly refusal: SluiceError | null
  readonly protocol: ProtocolAction | null
  readonly metadata: MetadataAction | null
  /** `features` and `partitionColumns`: null if protocol and metadata were not found. */
  readonly features: readonly string[] | null
  readonly partitionColumns: readonly string[] | null
  /** Milliseconds since the epoch. */
  readonly lastCommit: number | null
  /** `files` and `bytes`: null if the table cannot be read. */
  readonly files: number | null
  readonly bytes: bigint | null
  /** Null if the table cannot be read, the log has no row counts, or the counts come from a checksum file. */
  readonly rows: bigint | null
  /** Source of the counts. */
  readonly countedBy: 'crc' | 'commits' | 'checkpoint' | null
  readonly notes: readonly string[]
}

/** Replaying this many bytes of commits costs about as much as opening a Parquet checkpoint. */
const CHEAP_COMMITS = 8 << 20
/** Up to this many bytes, replaying commits is still preferred to loading DuckDB. */
const MAX_REPLAYED_COMMITS = 64 << 20

function bytesOf(commits: readonly CommitFile[]): number {
  return commits.reduce((sum, { size }) => sum + Math.max(0, size), 0)
}

/**
 * Checkpoints to skip so that counts need no Parquet: all, if all commits exist and fit into `MAX_REPLAYED_COMMITS`.
 */
function checkpointsToSkip(listing: LogListing): ReadonlySet<CheckpointFiles> {
  const complete = historyFrom(listing) === 0 && bytesOf(listing.commits) <= MAX_REPLAYED_COMMITS
  const newest = listing.checkpoints.at(-1)
  if (!complete || newest === undefined) return new Set()
  // A recent JSON checkpoint without sidecars would do too, but this is not known before it is opened.
  return new Set(listing.checkpoints)
}

function historyFrom(listing: LogListing): number | null {
  try {
    return logHistory(listing).from
  } catch (error) {
    if (error instanceof SluiceError) return null
    throw error
  }
}

async function lastCommitTime(
  store: LogStore,
  listing: LogListing,
  head: { readonly protocol: ProtocolAction; readonly metadata: MetadataAction } | null,
  signal: AbortSignal,
): Promise<number | null> {
  const last = listing.commits.at(-1)
  if (last === undefined) return listing.checkpoints.at(-1)?.files[0]?.modified ?? null
  const byFile = fileTimes(listing.commits).at(-1)?.time ?? null
  if (head === null || inCommitRule(head) === null) return byFile
  return inCommitTimeOf(await readCommitInfo(store, last, signal)) ?? byFile
}

type Counted = TableCounts & { readonly by: TableFacts['countedBy'] }

async function count(store: LogStore, snapshot: Snapshot, listing: LogListing, signal: AbortSignal): Promise<Counted> {
  const { segment, version } = snapshot
  const cheap = segment.checkpoint === null && bytesOf(segment.commits) <= CHEAP_COMMITS
  if (!cheap && listing.crcs.some((crc) => crc.version === version)) {
    const crc = await readCrc(store, version, signal)
    if (crc !== null) return { files: crc.numFiles, bytes: BigInt(crc.tableSizeBytes), rows: null, by: 'crc' }
  }
  const counts = await snapshot.counts(signal)
  return { ...counts, by: snapshot.segment.checkpoint === null ? 'commits' : 'checkpoint' }
}

/**
 * The facts of a table at its latest version. If the table cannot be read, `refusal` has the reason, and the other
 * members have all facts that were found. Counts come from commits of at most `CHEAP_COMMITS` bytes, otherwise from the
 * valid `.crc` of that version, otherwise from a replay with larger commits or the checkpoint.
 * @param parquet called only if counts or metadata are available in a Parquet checkpoint only
 * @throws SluiceError NO_LOG, SOURCE_DENIED, SOURCE_IO if there is no log to read; the signal's reason if it is aborted
 */
export async function probeTable(
  store: LogStore,
  parquet: () => Promise<ParquetRows>,
  signal: AbortSignal,
): Promise<TableFacts> {
  const listing = await listLog(store, { signal })
  const notes = incompleteNotes(listing)
  let facts: TableFacts = {
    version: listing.latest ?? 0,
    historyFrom: historyFrom(listing),
    refusal: null,
    protocol: null,
    metadata: null,
    features: null,
    partitionColumns: null,
    lastCommit: null,
    files: null,
    bytes: null,
    rows: null,
    countedBy: null,
    notes,
  }
  try {
    const unreadable = new Set(checkpointsToSkip(listing))
    const note = (text: string): void => {
      notes.push(text)
    }
    const snapshot = new Snapshot({ store, parquet, listing, unreadable, note })
    facts = { ...facts, lastCommit: await lastCommitTime(store, listing, null, signal) }
    const head = await snapshot.head(signal)
    const refusal = readerRefusal(head.protocol)
    facts = {
      ...facts,
      ...head,
      refusal,
      features: featureNames(head.protocol, head.metadata),
      partitionColumns: head.metadata.partitionColumns ?? [],
      lastCommit: await lastCommitTime(store, listing, head, signal),
    }
    if (refusal !== null) return facts
    const { by, files, bytes, rows } = await count(store, snapshot, listing, signal)
    return { ...facts, files, bytes, rows, countedBy: by }
  } catch (error) {
    if (!(error instanceof SluiceError) || error.kind === 'stopped' || error.kind === 'internal') throw error
    return { ...facts, refusal: error }
  }
}
