/**
 * Checks the checkpoints from which readers start: the newest complete one, the one for the checked version, and the
 * one that `_last_checkpoint` names. Reads them whole, and compares their rows with each other and their files with the
 * commits.
 */
import type { SidecarAction } from '../../../delta/actions.ts'
import { readCheckpoint, sidecarPath } from '../../../delta/checkpoint.ts'
import { FileChecksums } from '../../../delta/file-checksums.ts'
import { CheckedCheckpointRows, statsText } from '../../../delta/fsck/checkpoint-rows.ts'
import type { Finding } from '../../../delta/fsck/finding.ts'
import { RowCommitVersions } from '../../../delta/fsck/row-ids.ts'
import { checkpointsForHint, hintFault, inspectHint } from '../../../delta/last-checkpoint.ts'
import type { CheckpointFiles } from '../../../delta/listing.ts'
import { LAST_CHECKPOINT, LOG_FOLDER, logPathOf, SIDECAR_FOLDER } from '../../../delta/log-path.ts'
import { canonicalPath, dvId } from '../../../delta/paths.ts'
import { areRemoved } from '../../../delta/removed-files.ts'
import type { LogStore } from '../../../model/lake/log-store.ts'
import type { ParquetFooters } from '../../../model/lake/parquet-footers.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { firstOf } from '../../../shared/first-of.ts'
import { parquetRows } from '../../run/registry.ts'
import { compareCheckpoint } from './compare-checkpoint.ts'
import { HintCopyCheck } from './compare-hint.ts'
import type { SpellingCheck } from './inspect-spellings.ts'
import type { FsckProgress } from './progress.ts'
import type { Subject } from './subject.ts'

export type CheckpointCounts = {
  /** Complete checkpoints of the log. */
  readonly all: number
  /** Checkpoints chosen to be read whole. */
  readonly read: number
  /** Versions of checkpoints that were not read. */
  readonly notRead: readonly number[]
  /** Number of checkpoints whose files were compared with a replay of the log without them. */
  readonly compared: number
  /**
   * Versions of checkpoints that were read, but could not be compared: the log cannot build their version without them.
   */
  readonly notJudged: readonly number[]
  readonly sidecars: number
}

/**
 * @param parquet returns the reader for the pages of Parquet files
 * @param spellings receives the files of the checkpoint from which the version starts
 * @throws SluiceError of a store that cannot be read; bad contents of a file are findings
 */
export async function inspectCheckpoints(
  subject: Subject,
  parquet: () => Promise<ParquetFooters>,
  spellings: SpellingCheck,
  found: (finding: Finding) => void,
  progress: FsckProgress,
  signal: AbortSignal,
): Promise<CheckpointCounts> {
  const { store, table, version } = subject
  const listing = await table.listing(signal)
  const { checkpoints } = listing
  const hint = await inspectHint(store, signal)
  const named = hint.state === 'hint' ? await checkpointsForHint(store, hint.hint.version, listing, signal) : listing
  const fault = hintFault(hint, named)
  if (fault !== null) found({ level: 'finding', kind: 'last-checkpoint', path: LAST_CHECKPOINT, ...fault })
  const starts = new Set([
    checkpoints.at(-1)?.version,
    checkpoints.findLast((one) => one.version <= version)?.version,
    hint.state === 'hint' ? hint.hint.version : undefined,
  ])
  const broken = new Set<CheckpointFiles>()
  const sidecars = await inspectSidecars(subject, checkpoints, broken, found, signal)
  const chosen = checkpoints.filter((one) => starts.has(one.version))
  let compared = 0
  const notJudged: number[] = []
  progress.begin('checkpoints', chosen.length)
  for (const checkpoint of chosen) {
    throwIfAborted(signal)
    progress.add(1)
    if (broken.has(checkpoint)) continue
    const copy = HintCopyCheck.of(hint.state === 'hint' ? hint.hint.copy : null, checkpoint)
    const sums = await inspect(subject, checkpoint, copy, parquet, spellings, found, signal)
    if (sums === null) continue
    const wrong = await compareCheckpoint({ subject, checkpoint, signal }, sums)
    if (wrong === null) notJudged.push(checkpoint.version)
    else compared++
    for (const finding of wrong ?? []) found(finding)
  }
  const notRead = checkpoints.filter((one) => !chosen.includes(one)).map((one) => one.version)
  return { all: checkpoints.length, read: chosen.length, compared, notRead, notJudged, sidecars }
}

/** Maximum number of versions in a text. */
const MOST_VERSIONS = 8

/** Text that says what was read and compared, and what was not. @param wrong number of findings about checkpoints */
export function inspectedText({ compared, notRead, notJudged }: CheckpointCounts, wrong: number): string {
  const parts = [
    wrong === 0 ? 'read completely' : 'read as far as possible',
    ...(compared > 0 ? ['files and their statistics compared with the commits'] : []),
    ...(notJudged.length === 0
      ? []
      : [`not compared, because their commits are gone: ${firstOf(notJudged, MOST_VERSIONS)}`]),
    ...(notRead.length === 0 ? [] : [`not read: ${firstOf(notRead, MOST_VERSIONS)}`]),
    'their other contents are compared by sluice validate TABLE',
  ]
  return parts.join('; ')
}

function unreadableFinding(checkpoint: CheckpointFiles, path: string, why: string): Finding {
  const detail = why.startsWith(`checkpoint ${checkpoint.version} `) ? why : `checkpoint ${checkpoint.version}: ${why}`
  return { level: 'finding', kind: 'checkpoint-unreadable', path, detail }
}

/** @throws `error` if the checkpoint did not cause it, or was removed after it was listed */
async function asFinding(
  store: LogStore,
  error: unknown,
  checkpoint: CheckpointFiles,
  signal: AbortSignal,
): Promise<Finding> {
  if (!(error instanceof SluiceError) || error.kind !== 'source' || error.retryable) throw error
  if (await areRemoved(store, checkpoint.files, error, signal)) throw error
  const name = checkpoint.files[0]?.name ?? ''
  const where = error.where?.startsWith(`${LOG_FOLDER}/`) === true ? error.where.replace(/:\d+$/, '') : logPathOf(name)
  return unreadableFinding(checkpoint, where, error.message)
}

/**
 * @param copy the copy in `_last_checkpoint`, if it is of this checkpoint
 * @returns the digest of the checkpoint's files; null if it is unreadable
 */
async function inspect(
  { store, schema }: Subject,
  checkpoint: CheckpointFiles,
  copy: HintCopyCheck | null,
  parquet: () => Promise<ParquetFooters>,
  spellings: SpellingCheck,
  found: (finding: Finding) => void,
  signal: AbortSignal,
): Promise<FileChecksums | null> {
  const sums = new FileChecksums()
  const name = logPathOf(checkpoint.files[0]?.name ?? '')
  const files = checkpoint.files.map((file) => logPathOf(file.name)).filter((path) => path.endsWith('.parquet'))
  const rows = { protocol: 0, metaData: 0 }
  const wrong: Finding[] = []
  const named = new CheckedCheckpointRows(checkpoint.version, store.root, schema)
  const names = spellings.ofCheckpoint(checkpoint)
  const rowVersions = new RowCommitVersions()
  try {
    for await (const block of readCheckpoint(store, parquetRows, checkpoint, { signal, fields: 'structs' })) {
      for (const { action, raw } of block) {
        copy?.take(action)
        if (action.kind === 'protocol' || action.kind === 'metaData') rows[action.kind]++
        else if (action.kind === 'sidecar') files.push(sidecarPath(store, action.sidecar))
        else if (action.kind === 'remove') {
          wrong.push(...named.row(action.remove))
          names?.take('remove', action.remove)
        } else if (action.kind === 'add') {
          const { path, deletionVector, size } = action.add
          const again = named.row(action.add)
          if (again.length === 0)
            sums.add({
              path: canonicalPath(path, store.root),
              dvId: dvId(deletionVector),
              size,
              stats: statsText(action.add, raw),
            })
          wrong.push(...again, ...named.structsOf(action.add, raw))
          names?.take('add', action.add)
          rowVersions.take(action.add, checkpoint.version)
        }
      }
    }
    names?.end()
    for (const finding of [
      ...wrong,
      ...(copy?.end() ?? []),
      ...rowVersions.end('checkpoint', checkpoint.version, 'finding'),
    ])
      found(finding)
    for (const [kind, count] of Object.entries(rows)) {
      if (count !== 1) found(unreadableFinding(checkpoint, name, `it has ${count} ${kind} rows instead of one`))
    }
    for (const path of files) {
      await using local = await store.localFile(path, signal)
      // Also read the columns that sluice does not need: other readers do.
      const scanned = await (await parquet()).scan(local.file, { columns: [], deleted: null, signal })
      if ('fault' in scanned) found(unreadableFinding(checkpoint, path, scanned.reason))
      else {
        for (const { column, offset } of scanned.pages.wrong) {
          const detail = `the page of ${column} at byte ${offset} does not match its CRC-32`
          found({ level: 'finding', kind: 'page-checksum', path, column, detail })
        }
      }
    }
    return sums
  } catch (error) {
    throwIfAborted(signal)
    found(await asFinding(store, error, checkpoint, signal))
    return null
  }
}

/**
 * Checks that all sidecars exist with the stated size; opens every V2 checkpoint for this.
 * @returns sidecars checked
 */
async function inspectSidecars(
  { store }: Subject,
  checkpoints: readonly CheckpointFiles[],
  broken: Set<CheckpointFiles>,
  found: (finding: Finding) => void,
  signal: AbortSignal,
): Promise<number> {
  const able = checkpoints.filter(({ form }) => form === 'v2')
  if (able.length === 0) return 0
  const there = new Map<string, number>()
  for await (const { name, size } of store.list(SIDECAR_FOLDER, { attributes: true, signal }))
    there.set(name, size ?? -1)
  let inspected = 0
  for (const checkpoint of able) {
    const wrong = (finding: Finding): void => {
      broken.add(checkpoint)
      found(finding)
    }
    const sidecars: SidecarAction[] = []
    const kinds = new Set(['sidecar'] as const)
    try {
      for await (const block of readCheckpoint(store, parquetRows, checkpoint, { signal, kinds })) {
        for (const { action } of block) if (action.kind === 'sidecar') sidecars.push(action.sidecar)
      }
    } catch (error) {
      throwIfAborted(signal)
      wrong(await asFinding(store, error, checkpoint, signal))
      continue
    }
    for (const { path, sizeInBytes } of sidecars) {
      inspected++
      const name = path.slice(path.lastIndexOf('/') + 1)
      const size = there.get(name)
      const of = `the sidecar of checkpoint ${checkpoint.version}`
      if (size === undefined) {
        wrong({ level: 'finding', kind: 'sidecar-missing', path, detail: `${of} does not exist` })
      } else if (size !== sizeInBytes) {
        const detail = `${of} has ${size} bytes, and the checkpoint records ${sizeInBytes}`
        wrong({ level: 'finding', kind: 'sidecar-size', path: name, log: `${sizeInBytes}`, found: `${size}`, detail })
      }
    }
  }
  return inspected
}
