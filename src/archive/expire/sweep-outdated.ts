/**
 * Destroys files that no version within the retention names. Files are recorded in the ledger before the first one is
 * destroyed; after a kill the next sweep resumes.
 */
import { ErasureLedger } from '../ledger/erasure-ledger.ts'
import { PartitionLedger } from '../ledger/partition-ledger.ts'
import { onlyCopies, readPartition, type ArchivedPartition, type ArchiveRecord } from '../ledger/record.ts'
import { SweepLedger, type ArchiveSweepRecord, type SweptFile } from '../ledger/sweep-ledger.ts'
import { Destroyer } from '../steps/destroy-files.ts'
import { sha256InPlace } from '../steps/local-files.ts'
import { outdatedFiles, type OutdatedFile } from '../log/find-outdated.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { isoTime } from '../../shared/clock.ts'
import { asSluiceError } from '../../shared/errors.ts'
import type { LedgerDatabase } from '../../model/run/ledger-port.ts'
import { parquetRows } from '../../engine/run/registry.ts'
import type { Run } from '../../engine/run/run-context.ts'
import { keepLeases, archiveOwner } from '../work/owner.ts'
import { adoptHint } from '../steps/refusals.ts'
import type { OwnedFolder } from '../work/open.ts'
import type { OtherLedgers } from '../work/other-ledgers.ts'

export type Sweeping = {
  readonly owned: OwnedFolder
  readonly others: OtherLedgers
  readonly database: LedgerDatabase
  readonly record: ArchiveRecord
  readonly run: Run<'archive.finding' | 'log'>
}

export type SweptTotals = { readonly files: number; readonly bytes: bigint }

const NOTHING: SweptTotals = { files: 0, bytes: 0n }

/** An outdated file and its partition in the ledger; null if the ledger has none. */
type Due = { readonly file: OutdatedFile; readonly partition: ArchivedPartition | null }

/** Reports what a sweep would destroy; changes nothing. */
export async function reportOutdated(sweeping: Sweeping, retentionMs: number | null): Promise<SweptTotals> {
  const { owned, database, record, run } = sweeping
  const left = (await new SweepLedger(database, record.table, run.owner).unfinished()).flatMap(({ files }) => files)
  if (left.length > 0) {
    note(sweeping, `a sweep was interrupted: the rest of its ${left.length} files is removed first`)
  }
  const due = await dueFiles(sweeping, retentionMs)
  reportReadableFrom(sweeping, due)
  for (const { file, partition } of due) {
    run.emit({
      type: 'archive.finding',
      table: owned.name,
      ...(file.partition === null ? {} : { partition: file.partition }),
      path: file.path,
      finding: 'outdated file',
      detail: `${removedText(file)}${partition?.state === 'EXPIRED' ? '; it has expired, and cannot be restored after that' : ''}`,
      bytes: file.bytes.toString(),
    })
  }
  return countOf(due.map(({ file }) => file))
}

/**
 * Ends interrupted sweeps, then removes the files that are due.
 * @throws SluiceError LEDGER_BUSY if another program is sweeping; ARCHIVE_CONFLICT, SOURCE_IO, TARGET_DENIED
 */
export async function sweepOutdated(sweeping: Sweeping, retentionMs: number | null): Promise<SweptTotals> {
  const { owned, others, database, record, run } = sweeping
  const sweeps = new SweepLedger(database, record.table, run.owner)
  const erasure = await new ErasureLedger(database, record.table, run.owner).unfinished()
  if (erasure !== null) {
    note(sweeping, `older versions are not swept: the erasure ${erasure.reason} has not ended, and will remove them`)
    return NOTHING
  }
  let all = NOTHING
  for (const sweep of await sweeps.unfinished()) {
    const kept = sweep.files.filter(({ path, bytes }) => others.keeps(path, BigInt(bytes)))
    if (kept.length === 0) all = added(all, await destroy(sweeping, sweeps, sweep))
    else
      note(
        sweeping,
        `the sweep of run ${sweep.id} was interrupted, and cannot continue yet: other ledgers may need its files`,
      )
  }
  if (run.interrupt.stop.aborted) return all
  const due = await dueFiles(sweeping, retentionMs)
  if (due.length === 0 || retentionMs === null) return all
  const ledger = new PartitionLedger(database, record.table, archiveOwner(run))
  const timer = keepLeases(ledger)
  try {
    const kept = new Set<string>()
    for (const label of new Set(due.flatMap(({ partition }) => expiredLabel(partition)))) {
      if (!(await markSwept(sweeping, ledger, label))) kept.add(label)
    }
    const going = due.filter(({ partition }) => !expiredLabel(partition).some((label) => kept.has(label)))
    const files: SweptFile[] = []
    for (const { file } of going) {
      throwIfAborted(run.interrupt.abort)
      const { path, bytes, partition } = file
      const sha256 = await sha256InPlace({ reader: owned.reader, interrupt: run.interrupt }, path)
      files.push({ path, bytes: bytes.toString(), sha256, partition })
    }
    if (files.length === 0) return all
    reportReadableFrom(sweeping, going)
    const sweep = { id: BigInt(run.runId), version: firstReadableVersion(going), retentionMs, files, holder: null }
    await sweeps.begin(sweep, { signedBy: run.actor, tool: run.tool })
    return added(all, await destroy(sweeping, sweeps, sweep))
  } finally {
    clearInterval(timer)
  }
}

async function destroy(
  { owned, others, database, run }: Sweeping,
  sweeps: SweepLedger,
  sweep: ArchiveSweepRecord,
): Promise<SweptTotals> {
  return sweeps.underLease(sweep, async () => {
    const destroyer = new Destroyer(owned, database, others)
    for (const { path, bytes, sha256, partition } of sweep.files) {
      await destroyer.remove(path)
      run.emit({
        type: 'archive.finding',
        table: owned.name,
        ...(partition === null ? {} : { partition }),
        path,
        finding: 'swept file',
        detail: `of older versions; sha256 ${sha256}`,
        bytes,
      })
    }
    await sweeps.end(sweep)
    return countOf(sweep.files.map((file) => ({ bytes: BigInt(file.bytes) })))
  })
}

function filesText(files: number): string {
  return files === 1 ? '1 file' : `${files} files`
}

/**
 * Files whose retention has passed and that may be destroyed: their partition has no hold, no other ledger needs them,
 * and they are not the only copy of rows. Empty if no retention is set; then a note reports the outdated files.
 */
async function dueFiles(sweeping: Sweeping, retentionMs: number | null): Promise<readonly Due[]> {
  const { owned, others, database, record, run } = sweeping
  const { reader: store, writer, archived } = owned
  const request = {
    store,
    writer,
    parquet: parquetRows,
    tableId: archived.archiveId,
    note: (text: string) => note(sweeping, text),
  }
  const outdated = await outdatedFiles(request, run.interrupt.abort)
  if (outdated.length === 0) return []
  if (retentionMs === null) {
    const { files, bytes } = countOf(outdated)
    const hint =
      'set it once with sluice archive sweep --retention 30d: files that were removed from the archive more than 30 days ago are then destroyed'
    note(
      sweeping,
      `${filesText(files)}, ${bytes} bytes, of older versions ${files === 1 ? 'stays' : 'stay'}: no retention is set for them`,
      hint,
    )
    return []
  }
  const nowMs = await new PartitionLedger(database, record.table, archiveOwner(run)).now()
  const over = nowMs - retentionMs
  const ofPath = new Map(record.partitions.flatMap((one) => one.files.map(({ path }) => [path, one.label] as const)))
  const byLabel = new Map(record.partitions.map((one) => [one.label, one]))
  const kept = onlyCopies(record.partitions)
  const held = new Map<string, number>()
  const copies = new Map<string, number>()
  const due: Due[] = []
  for (const file of outdated) {
    const label = file.partition ?? ofPath.get(file.path)
    const partition = (label === undefined ? undefined : byLabel.get(label)) ?? null
    if (file.removedMs > over || isRetained(partition, over)) continue
    const only = kept.get(file.path)
    if (only !== undefined) {
      copies.set(only, (copies.get(only) ?? 0) + 1)
      continue
    }
    if (partition?.held != null) held.set(partition.label, (held.get(partition.label) ?? 0) + 1)
    else if (!others.keeps(file.path, file.bytes)) due.push({ file, partition })
  }
  for (const [label, files] of held) {
    note(
      sweeping,
      `${filesText(files)} of ${label} ${files === 1 ? 'stays' : 'stay'}, because ${label} is held (${byLabel.get(label)?.held ?? ''})`,
    )
  }
  for (const [label, files] of copies) {
    const message = `${filesText(files)} of ${label} ${files === 1 ? 'stays' : 'stay'}: the log no longer names ${files === 1 ? 'it' : 'them'}, but the state in the ledger is ${byLabel.get(label)?.state}, so the rows may exist nowhere else`
    note(sweeping, message, adoptHint(owned.name))
  }
  return due
}

/**
 * True for a file of an expired partition that the log still names, or whose expiry is within the retention.
 * @param over files removed up to this time have been kept long enough, ms since the epoch
 */
function isRetained(partition: ArchivedPartition | null, over: number): boolean {
  if (partition === null) return false
  const { state, retracted, expired } = partition
  return state === 'EXPIRED' && (!retracted || expired === null || expired.ms > over)
}

function expiredLabel(partition: ArchivedPartition | null): readonly string[] {
  return partition?.state === 'EXPIRED' ? [partition.label] : []
}

/** Records that a partition cannot be restored any more. @returns false if it has a hold, is in use, or was restored */
async function markSwept(sweeping: Sweeping, ledger: PartitionLedger, label: string): Promise<boolean> {
  const { database, record } = sweeping
  const now = (): Promise<ArchivedPartition | null> => readPartition(database, record.table, label)
  const held = await ledger.claim(label, (await now())?.holder ?? null)
  if (held === null) {
    note(sweeping, `${label}: another program works on it, and its files stay`)
    return false
  }
  try {
    await ledger.move(held, 'EXPIRED', 'EXPIRED', { swept: true, unheld: true })
    return true
  } catch (thrown) {
    if (asSluiceError(thrown).code !== 'LEASE_LOST') throw thrown
    note(sweeping, `${label}: it was restored or held meanwhile, and its files stay`)
    return false
  } finally {
    await ledger.release(held).catch(() => undefined)
  }
}

/** First version that can be read completely after the sweep; null if only a checkpoint records the removals. */
function firstReadableVersion(due: readonly Due[]): number | null {
  const versions = due.flatMap(({ file }) => file.removedVersion ?? [])
  return versions.length === 0 ? null : Math.max(...versions)
}

function reportReadableFrom(sweeping: Sweeping, due: readonly Due[]): void {
  const version = firstReadableVersion(due)
  if (version === null) return
  note(
    sweeping,
    `versions of the archive before ${version} lose rows; version ${version} is then the oldest that can be read completely`,
  )
}

function removedText({ removedMs, removedVersion }: OutdatedFile): string {
  const by = removedVersion === null ? 'removed' : `removed by version ${removedVersion}`
  return `${by} at ${isoTime(removedMs)}`
}

function note({ owned, run }: Sweeping, message: string, hint?: string): void {
  const about = hint === undefined ? {} : { hint }
  run.emit({ type: 'log', level: 'note', table: owned.name, message, ...about })
}

function countOf(files: readonly { readonly bytes: bigint }[]): SweptTotals {
  return { files: files.length, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0n) }
}

function added(a: SweptTotals, b: SweptTotals): SweptTotals {
  return { files: a.files + b.files, bytes: a.bytes + b.bytes }
}
