/**
 * Compares the files of a checkpoint with a replay of the log without it. If a checkpoint lacks a file, readers that
 * start from it lose the file's rows.
 */
import type { Finding } from '../../../delta/fsck/finding.ts'
import { onlyInOne, checksumsOf, type FileChecksums, type SetFile } from '../../../delta/file-checksums.ts'
import type { CheckpointFiles, LogListing } from '../../../delta/listing.ts'
import { logPathOf } from '../../../delta/log-path.ts'
import { replayFiles } from '../../../delta/replay.ts'
import { segmentAt, type LogSegment } from '../../../delta/segment.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { parquetRows } from '../../run/registry.ts'
import type { Subject } from './subject.ts'

/** Maximum number of files that a finding names. */
const NAMED = 4
/** Up to this many bytes, all commits are replayed: that needs about as many bytes of heap as the log has. */
const MOST_REPLAYED = 1024 ** 3

type At = { readonly subject: Subject; readonly checkpoint: CheckpointFiles; readonly signal: AbortSignal }

/**
 * Replays the log to the version of the checkpoint, without the checkpoint. Reads all commits, or only those after an
 * older checkpoint if the first commits are gone. For more than 1 GiB of commits it prefers an older checkpoint.
 * @param sums of the files in the checkpoint
 * @returns null if the version cannot be built without the checkpoint, else the findings
 * @throws SluiceError of commits that cannot be read
 */
export async function compareCheckpoint(at: At, sums: FileChecksums): Promise<readonly Finding[] | null> {
  const { subject, checkpoint, signal } = at
  const listing = await subject.table.listing(signal)
  const without = new Set<CheckpointFiles>(listing.checkpoints)
  const bytes = listing.commits.reduce(
    (sum, { version, size }) => (version > checkpoint.version ? sum : sum + (size ?? 0)),
    0,
  )
  const older = olderThan(checkpoint, listing)
  for (const other of bytes > MOST_REPLAYED ? [...older, null] : [null, ...older]) {
    if (other === null) for (const one of listing.checkpoints) without.add(one)
    else without.delete(other)
    const segment = segmentOf(listing, checkpoint.version, without)
    if (segment === null) continue
    try {
      return await compareWithReplay(at, segment, sums)
    } catch (error) {
      // An older checkpoint that cannot be read is not usable as a second source.
      if (!(error instanceof SluiceError) || error.code !== 'BAD_CHECKPOINT' || other === null) throw error
      without.add(other)
    }
  }
  return null
}

/** Older checkpoints, newest first. */
function olderThan({ version }: CheckpointFiles, { checkpoints }: LogListing): readonly CheckpointFiles[] {
  return checkpoints.filter((one) => one.version < version).toReversed()
}

/** @returns null if the commits do not reach that version */
function segmentOf(listing: LogListing, version: number, without: ReadonlySet<CheckpointFiles>): LogSegment | null {
  try {
    return segmentAt(listing, version, without)
  } catch (error) {
    if (error instanceof SluiceError && ['LOG_GAP', 'VERSION_NOT_FOUND'].includes(error.code)) return null
    throw error
  }
}

async function compareWithReplay(
  { subject: { store }, checkpoint, signal }: At,
  segment: LogSegment,
  own: FileChecksums,
): Promise<readonly Finding[]> {
  const filesOf = (from: LogSegment) =>
    async function* (): AsyncGenerator<readonly SetFile[]> {
      const source = { store, parquet: parquetRows, segment: from }
      for await (const block of replayFiles(source, 'add', { signal, fields: 'identity' }))
        yield block.map(({ path, dvId, file }) => ({ path, dvId, size: file.size ?? 0 }))
    }
  const log = await checksumsOf(filesOf(segment))
  const apart = own.differentParts(log)
  if (apart.size === 0 && own.files === log.files && own.bytes === log.bytes) return []
  const alone = { ...segment, checkpoint, commits: [] }
  const most = Math.max(own.files, log.files)
  const { one, other } = await onlyInOne(filesOf(alone), filesOf(segment), apart, most)
  const base = segment.checkpoint === null ? 'the commits' : `checkpoint ${segment.checkpoint.version} and the commits`
  const names = [...namesText('it lacks', other), ...namesText('it also has', one)].map((text) => `; ${text}`).join('')
  const detail = `checkpoint ${checkpoint.version} has ${countsOf(own)}, ${base} give ${countsOf(log)}${names}`
  const path = logPathOf(checkpoint.files[0]?.name ?? '')
  return [{ level: 'finding', kind: 'checkpoint-files', path, log: countsOf(log), found: countsOf(own), detail }]
}

function countsOf({ files, bytes }: FileChecksums): string {
  return `${files} files of ${bytes} bytes`
}

function namesText(what: string, paths: readonly string[]): readonly string[] {
  if (paths.length === 0) return []
  return [`${what} ${paths.slice(0, NAMED).join(', ')}${paths.length > NAMED ? ', …' : ''}`]
}
