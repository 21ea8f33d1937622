/**
 * Compares the checkpoints of an archive's log with a replay of the commits. Other programs start from them, also
 * for an older version, and skip files by their statistics.
 */
import type { CheckpointFiles, LogListing } from '../../delta/listing.ts'
import { replayFiles, type ReplaySource } from '../../delta/replay.ts'
import { segmentOrNull } from '../../delta/segment.ts'
import { readTableState } from '../../delta/state.ts'
import { DeltaTable } from '../../delta/table.ts'
import { nullOn, SluiceError } from '../../shared/errors.ts'
import { sortedJson } from '../../shared/sorted-json.ts'
import type { LogSource } from './read-state.ts'

/** `uncompared`: the log cannot build the version without the checkpoint. @property differing names of parts */
type ComparedCheckpoint = { readonly version: number } & (
  | { readonly kind: 'compared'; readonly differing: readonly string[] }
  | { readonly kind: 'uncompared' }
  | { readonly kind: 'unreadable'; readonly error: SluiceError }
)

/**
 * Each checkpoint is compared with the commits since the one before it, so that each commit is read once.
 * @returns all checkpoints, oldest first
 * @throws SluiceError errors of reading a log
 */
export async function compareArchiveCheckpoints(
  source: LogSource,
  signal: AbortSignal,
): Promise<readonly ComparedCheckpoint[]> {
  const table = await DeltaTable.open(source.store, source.parquet, signal).catch(nullOn('NO_LOG'))
  const listing = await table?.listing(signal)
  const compared: ComparedCheckpoint[] = []
  /** Checkpoints from which no later version is built. */
  const wrong = new Set<CheckpointFiles>()
  for (const checkpoint of listing?.checkpoints ?? []) {
    if (listing === undefined) break
    const one = await compareOne(source, listing, checkpoint, wrong, signal)
    if (one.kind === 'unreadable' || (one.kind === 'compared' && one.differing.length > 0)) wrong.add(checkpoint)
    compared.push(one)
  }
  return compared
}

async function compareOne(
  { store, parquet }: LogSource,
  listing: LogListing,
  checkpoint: CheckpointFiles,
  wrong: ReadonlySet<CheckpointFiles>,
  signal: AbortSignal,
): Promise<ComparedCheckpoint> {
  const { version } = checkpoint
  const same = listing.checkpoints.filter((one) => one.version === version)
  const segment = segmentOrNull(listing, version, new Set([...same, ...wrong]))
  if (segment === null) return { version, kind: 'uncompared' }
  try {
    const own = await contentsOf({ store, parquet, segment: { ...segment, checkpoint, commits: [] } }, signal)
    const log = await contentsOf({ store, parquet, segment }, signal)
    const names = new Set([...own.keys(), ...log.keys()])
    return { version, kind: 'compared', differing: [...names].filter((name) => own.get(name) !== log.get(name)) }
  } catch (error) {
    if (error instanceof SluiceError && error.code === 'BAD_CHECKPOINT') return { version, kind: 'unreadable', error }
    throw error
  }
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
