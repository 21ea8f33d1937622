/**
 * Compares the files of a checkpoint, and their statistics, with a replay of the log without it. Readers that start
 * from it lose rows of a file that it lacks, or whose statistics are wrong.
 */
import type { AddAction } from '../../../delta/actions.ts'
import { statsText } from '../../../delta/fsck/checkpoint-rows.ts'
import type { Finding } from '../../../delta/fsck/finding.ts'
import {
  checksumsOf,
  differentTexts,
  onlyInOne,
  type FileChecksums,
  type SetFile,
} from '../../../delta/file-checksums.ts'
import type { CheckpointFiles, LogListing } from '../../../delta/listing.ts'
import { logPathOf } from '../../../delta/log-path.ts'
import { replayFiles } from '../../../delta/replay.ts'
import { segmentOrNull, type LogSegment } from '../../../delta/segment.ts'
import { leafColumns } from '../../../delta/schema.ts'
import { statsComparer, type DifferentValues } from '../../../delta/values/same.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { parquetRows } from '../../run/registry.ts'
import type { Subject } from './subject.ts'

/** Maximum number of files that a finding names. */
const NAMED = 4
/** Maximum number of findings about one checkpoint: one wrong writer makes the statistics of all files wrong. */
const MOST_FINDINGS = 100
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
    const segment = segmentOrNull(listing, checkpoint.version, without)
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

async function compareWithReplay(
  { subject: { store, schema }, checkpoint, signal }: At,
  segment: LogSegment,
  own: FileChecksums,
): Promise<readonly Finding[]> {
  const filesOf = (from: LogSegment) =>
    async function* (): AsyncGenerator<readonly SetFile[]> {
      const source = { store, parquet: parquetRows, segment: from }
      for await (const block of replayFiles(source, 'add', { signal, fields: 'structs' }))
        yield block.map(({ path, dvId, file, raw }) => ({
          path,
          dvId,
          size: file.size ?? 0,
          stats: statsText(file as AddAction, raw),
        }))
    }
  const [alone, all] = [filesOf({ ...segment, checkpoint, commits: [] }), filesOf(segment)]
  const log = await checksumsOf(all)
  const most = Math.max(own.files, log.files)
  const findings: Finding[] = []
  const apart = own.differentParts(log)
  if (apart.size > 0 || own.files !== log.files || own.bytes !== log.bytes) {
    const { one, other } = await onlyInOne(alone, all, apart, most)
    const base =
      segment.checkpoint === null ? 'the commits' : `checkpoint ${segment.checkpoint.version} and the commits`
    const names = [...namesText('it lacks', other), ...namesText('it also has', one)].map((text) => `; ${text}`)
    const detail = `checkpoint ${checkpoint.version} has ${countsOf(own)}, ${base} give ${countsOf(log)}${names.join('')}`
    const path = logPathOf(checkpoint.files[0]?.name ?? '')
    const counts = { log: countsOf(log), found: countsOf(own) }
    findings.push({ level: 'finding', kind: 'checkpoint-files', path, ...counts, detail })
  }
  const compare = statsComparer(leafColumns(schema))
  for await (const pair of differentTexts(alone, all, own.differentStatistics(log), most)) {
    const different = compare(pair.one, pair.other) ?? []
    const finding = statisticsFinding(checkpoint.version, pair.path, different)
    if (finding !== null) findings.push(finding)
    if (findings.length === MOST_FINDINGS) break
  }
  return findings
}

/** Finding about one file; null if its statistics are the same. */
function statisticsFinding(version: number, path: string, different: readonly DifferentValues[]): Finding | null {
  const [first] = different
  if (first === undefined) return null
  const { column, what, one, other } = first
  const more = different.length === 1 ? '' : `, and ${different.length - 1} more`
  const detail = `checkpoint ${version} has other statistics of this file than the commits: ${what} is ${one} in the checkpoint, ${other} in the log${more}`
  const where = column === '' ? {} : { column }
  return { level: 'finding', kind: 'checkpoint-stats', path, ...where, log: other, found: one, detail }
}

function countsOf({ files, bytes }: FileChecksums): string {
  return `${files} files of ${bytes} bytes`
}

function namesText(what: string, paths: readonly string[]): readonly string[] {
  if (paths.length === 0) return []
  return [`${what} ${paths.slice(0, NAMED).join(', ')}${paths.length > NAMED ? ', …' : ''}`]
}
