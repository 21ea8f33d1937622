/** Cheap facts of a table for listings: what one look at the log can tell, and DuckDB only where nothing else can. */
import { SluiceError } from '../shared/errors.ts'
import type { LogStore } from '../model/lake/log-store.ts'
import type { ParquetRows } from '../model/lake/parquet-rows.ts'
import type { MetadataAction, ProtocolAction } from './actions.ts'
import { readCrc } from './crc.ts'
import { featureNames, readerRefusal } from './features.ts'
import { listLog } from './listing.ts'
import type { CheckpointFiles, CommitFile, LogListing } from './listing.ts'
import { historyOf } from './segment.ts'
import { Snapshot } from './snapshot.ts'
import type { TableCounts } from './snapshot.ts'
import { fileTimes, inCommitRule, inCommitTimeOf, readCommitInfo } from './timestamps.ts'

export type TableFacts = {
  readonly version: number
  /** First version that the log can still answer; null when not even the latest can be built. */
  readonly historyFrom: number | null
  /** Why the table cannot be read: a feature, a protocol version, or whatever is wrong with its log. Null when it can be. */
  readonly refusal: SluiceError | null
  readonly protocol: ProtocolAction | null
  readonly metadata: MetadataAction | null
  /** These two are null when protocol and metadata could not be found. */
  readonly features: readonly string[] | null
  readonly partitionColumns: readonly string[] | null
  /** Milliseconds since the epoch. */
  readonly lastCommit: number | null
  /** Null in a table that cannot be read. */
  readonly files: number | null
  readonly bytes: bigint | null
  /** Also null when the log, or the checksum that was used, does not say. */
  readonly rows: bigint | null
  /** Where the counts stand. */
  readonly countedBy: 'crc' | 'commits' | 'checkpoint' | null
  readonly notes: readonly string[]
}

/** Replaying this many bytes of commits costs about as much as one look into a Parquet checkpoint. */
const CHEAP_COMMITS = 8 << 20
/** Up to here commits are still preferred to loading DuckDB. */
const BEARABLE_COMMITS = 64 << 20

function bytesOf(commits: readonly CommitFile[]): number {
  return commits.reduce((sum, { size }) => sum + Math.max(0, size), 0)
}

/** The checkpoints to leave aside so that counts need no Parquet: all, when the commits tell everything and are few. */
function checkpointsToSkip(listing: LogListing): ReadonlySet<CheckpointFiles> {
  const complete = historyFrom(listing) === 0 && bytesOf(listing.commits) <= BEARABLE_COMMITS
  const newest = listing.checkpoints.at(-1)
  if (!complete || newest === undefined) return new Set()
  // A recent checkpoint in JSON without sidecars would do as well, but nothing is known of that before it is opened.
  return new Set(listing.checkpoints)
}

function historyFrom(listing: LogListing): number | null {
  try {
    return historyOf(listing).from
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
 * The facts of a table at its latest version. What makes it unreadable is told in `refusal`, beside everything that could be found.
 * Counts come from a small replay of commits, else from the valid `.crc` of that very version, else from the checkpoint.
 * @param parquet called only when counts or metadata stand in nothing but a Parquet checkpoint
 * @throws SluiceError NO_LOG, SOURCE_DENIED, SOURCE_IO when there is no log to read; the signal's reason when it has fired
 */
export async function probeTable(
  store: LogStore,
  parquet: () => Promise<ParquetRows>,
  signal: AbortSignal,
): Promise<TableFacts> {
  const listing = await listLog(store, { signal })
  const notes = listing.incomplete.map(
    ({ version, parts, present }) => `checkpoint ${version} ignored: ${present} of its ${parts} parts are there`,
  )
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
    const refusal = readerRefusal(head.protocol, head.metadata)
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
