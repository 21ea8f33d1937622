/** Checkpoints of an archive: a version's state in one Parquet file, so that readers need not replay all commits. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { readHint } from '../../delta/last-checkpoint.ts'
import { LAST_CHECKPOINT, logPathOf, versionDigits } from '../../delta/log-path.ts'
import type { ActiveFile, Snapshot, Tombstone } from '../../delta/snapshot.ts'
import { DeltaTable } from '../../delta/table.ts'
import type { CheckpointRow, CheckpointWriter } from '../../model/lake/checkpoint-writer.ts'
import { retentionMs } from './retention.ts'
import type { LogStore } from '../../model/lake/log-store.ts'
import type { LogWriter } from '../../model/lake/log-writer.ts'
import type { ParquetRows } from '../../model/lake/parquet-rows.ts'
import { makeSpool } from '../../shared/spool.ts'

export type CheckpointParts = {
  readonly store: LogStore
  readonly writer: LogWriter
  readonly parquet: () => Promise<ParquetRows>
  readonly checkpoints: CheckpointWriter
  readonly now: () => number
}

/** Commits between two checkpoints; the table's property `delta.checkpointInterval` names it for other writers. */
export const CHECKPOINT_INTERVAL = 10
/** Retention of removed files if the table sets none, ms: the default of Delta. Readers of older versions need them. */
const RETENTION_MS = 7 * 86_400_000

/** @param newest version of the newest checkpoint; null without one */
export function isCheckpointDue(version: number, newest: number | null): boolean {
  if (version === 0) return false
  // A checkpoint is also due if an earlier one is missing because its writer was killed.
  return version % CHECKPOINT_INTERVAL === 0 || version - (newest ?? 0) >= 2 * CHECKPOINT_INTERVAL
}

/**
 * Writes the checkpoint of a version, unless it exists, and points `_last_checkpoint` to it.
 * @throws SluiceError errors of reading, of `CheckpointWriter` and of `LogWriter`
 */
export async function writeCheckpoint(parts: CheckpointParts, version: number, signal: AbortSignal): Promise<void> {
  const { store, writer, parquet, checkpoints, now } = parts
  const table = await DeltaTable.open(store, parquet, signal, 'newest')
  const snapshot = await table.snapshot({ version })
  const folder = await makeSpool()
  try {
    const name = `${versionDigits(version)}.checkpoint.parquet`
    const counted = { adds: 0 }
    const file = join(folder, name)
    const { rows, bytes } = await checkpoints.write(file, rowsOf(snapshot, now(), counted, signal), signal)
    const path = logPathOf(name)
    if ((await store.head(path, signal)) === null) await uploadOnce(store, writer, path, file, signal)
    const hint = await readHint(store, signal)
    if (hint !== null && hint.version >= version) return
    const written = { version, size: rows, sizeInBytes: bytes, numOfAddFiles: counted.adds }
    await writer.put(logPathOf(LAST_CHECKPOINT), Buffer.from(`${JSON.stringify(written)}\n`), signal)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Two programs that write the same checkpoint write the same state, so either file is valid. */
async function uploadOnce(
  store: LogStore,
  writer: LogWriter,
  path: string,
  file: string,
  signal: AbortSignal,
): Promise<void> {
  try {
    await writer.upload(path, file, signal)
  } catch (error) {
    if ((await store.head(path, signal)) === null) throw error
  }
}

async function* rowsOf(
  snapshot: Snapshot,
  now: number,
  counted: { adds: number },
  signal: AbortSignal,
): AsyncGenerator<readonly CheckpointRow[]> {
  const { protocol, metadata, txns, domains } = await snapshot.state(signal)
  yield [
    { kind: 'protocol', json: JSON.stringify({ protocol }) },
    { kind: 'metaData', json: JSON.stringify({ metaData: metadata }) },
    ...[...txns.values()].map(({ appId, version, lastUpdated }): CheckpointRow => {
      const updated = lastUpdated == null ? '' : `,"lastUpdated":${lastUpdated}`
      return { kind: 'txn', json: `{"txn":{"appId":${JSON.stringify(appId)},"version":${version}${updated}}}` }
    }),
    ...[...domains.values()].map((domain): CheckpointRow => ({
      kind: 'domainMetadata',
      json: JSON.stringify({ domainMetadata: domain }),
    })),
  ]
  // Keep tombstones until the retention has passed: programs that clean the table delete each file that the log omits.
  const since = now - Math.max(RETENTION_MS, retentionMs(metadata.configuration) ?? 0)
  for await (const block of snapshot.tombstones(signal)) {
    yield block.filter(({ remove }) => (remove.deletionTimestamp ?? 0) > since).map(removeRow)
  }
  for await (const block of snapshot.files({ signal })) {
    counted.adds += block.length
    yield block.map(addRow)
  }
}

/** `dataChange` is false: rows of a checkpoint are not changes. */
function addRow({ add }: ActiveFile): CheckpointRow {
  return { kind: 'add', json: JSON.stringify({ add: { ...add, dataChange: false } }) }
}

function removeRow({ remove: { stats: _, tags: __, ...remove } }: Tombstone): CheckpointRow {
  return { kind: 'remove', json: JSON.stringify({ remove: { ...remove, dataChange: false } }) }
}
