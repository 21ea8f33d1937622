/**
 * Compares the newest checkpoint of an archive's log with a replay of the commits. Other programs start from it, and
 * skip files by its statistics.
 */
import type { LogListing } from '../../delta/listing.ts'
import { replayFiles, type ReplaySource } from '../../delta/replay.ts'
import { segmentAt, type LogSegment } from '../../delta/segment.ts'
import { readTableState } from '../../delta/state.ts'
import { DeltaTable } from '../../delta/table.ts'
import { nullOn, SluiceError } from '../../shared/errors.ts'
import { sortedJson } from '../../shared/sorted-json.ts'
import type { LogSource } from './read-state.ts'

/** @property differing names of differing parts; null if the log cannot build the version without the checkpoint */
type ComparedCheckpoint = { readonly version: number; readonly differing: readonly string[] | null }

/** Returns null if there is no checkpoint. @throws SluiceError BAD_CHECKPOINT; errors of reading a log */
export async function compareArchiveCheckpoint(
  { store, parquet }: LogSource,
  signal: AbortSignal,
): Promise<ComparedCheckpoint | null> {
  const table = await DeltaTable.open(store, parquet, signal).catch(nullOn('NO_LOG'))
  const listing = await table?.listing(signal)
  const checkpoint = listing?.checkpoints.at(-1)
  if (listing === undefined || checkpoint === undefined) return null
  const { version } = checkpoint
  const replayed = segmentWithout(listing, version)
  if (replayed === null) return { version, differing: null }
  const [own, log] = [
    await contentsOf({ store, parquet, segment: { ...replayed, checkpoint, commits: [] } }, signal),
    await contentsOf({ store, parquet, segment: replayed }, signal),
  ]
  const names = new Set([...own.keys(), ...log.keys()])
  return { version, differing: [...names].filter((name) => own.get(name) !== log.get(name)) }
}

/** Builds the version from all commits, or from an older checkpoint if the first commits are gone; else null. */
function segmentWithout(listing: LogListing, version: number): LogSegment | null {
  const { checkpoints } = listing
  for (const without of [checkpoints, checkpoints.filter((one) => one.version === version)]) {
    try {
      return segmentAt(listing, version, new Set(without))
    } catch (error) {
      if (!(error instanceof SluiceError) || !['LOG_GAP', 'VERSION_NOT_FOUND'].includes(error.code)) throw error
    }
  }
  return null
}

/** Texts of the table's properties, transactions and files, by name. */
async function contentsOf(source: ReplaySource, signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
  const { protocol, metadata, txns } = await readTableState(source, signal)
  const contents = new Map([
    ['its protocol', textOf(protocol)],
    ['its metadata', textOf(metadata)],
    ...[...txns.values()].map((one) => [`the transaction ${one.appId}`, textOf(one)] as const),
  ])
  for await (const block of replayFiles(source, 'add', { signal, fields: 'all' })) {
    // Rows of a checkpoint are not changes, so `dataChange` is another one there.
    for (const { path, file } of block) contents.set(path, textOf({ ...file, dataChange: false }))
  }
  return contents
}

/** Absent values are left out: a checkpoint has a column for each field. */
function textOf(value: object): string {
  return sortedJson(value, isAbsent)
}

function isAbsent(field: unknown): boolean {
  return field == null || (typeof field === 'object' && !Array.isArray(field) && Object.keys(field).length === 0)
}
