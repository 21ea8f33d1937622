/** Finds differences between an archive and its proof: in its log and its files, byte by byte and row by row. */
import { stat } from 'node:fs/promises'
import type { ArchivedFile, InspectedFile } from '../../model/archive/archived-file.ts'
import type { ArchiveFindingEvent } from '../../model/archive/events.ts'
import { isPublished } from '../../model/archive/state.ts'
import { equalDigests } from '../../model/copy/rows.ts'
import { throwIfAborted, type Interrupt } from '../../shared/abort.ts'
import { asSluiceError } from '../../shared/errors.ts'
import type { ArchivedPartition, ArchiveRecord } from '../ledger/record.ts'
import { digestSum } from '../../model/copy/row-hash.ts'
import { progress, type ArchiveContext } from './context.ts'
import { localFiles } from './local-files.ts'
import type { LoggedFile, ArchiveLogState } from './log.ts'
import { outsideText, rangeColumnOf } from './range-column.ts'

export type ArchiveFinding = Omit<ArchiveFindingEvent, 'type' | 'table'>

/** A finding about rows that archive and source do not have alike. */
export function differing({ label }: Pick<ArchivedPartition, 'label'>, detail: string): ArchiveFinding {
  return { finding: 'differs from the source', partition: label, detail }
}

/** Number of files and rows that were read of a partition. */
export type ReadCounts = { readonly files: number; readonly rows: bigint }
/** A partition that queries do not read from the archive, while the log names files of it: a step has not ended. */
export type UnendedStep = { readonly unended: ArchivedPartition; readonly logged: number }

/**
 * Reads every published partition, and each expired one within its retention; the findings of each end with a
 * `ReadCounts`. A log that another database has continued is reported first, and steps that have not ended last.
 * @throws SluiceError SOURCE_IO, SOURCE_DENIED if a bucket cannot be read
 */
export async function* findings(
  context: ArchiveContext,
  { partitions, retentionMs }: ArchiveRecord,
  wanted: (label: string) => boolean,
  interrupt: Interrupt,
): AsyncGenerator<ArchiveFinding | ReadCounts | UnendedStep> {
  let state: ArchiveLogState | null = null
  let isBroken = false
  try {
    state = await (await context.log()).state(interrupt.abort)
    const other = state === null ? null : await foreignLog(context, interrupt.abort)
    if (other !== null) yield other
    if (state === null && partitions.some(({ version }) => version !== null))
      yield { finding: 'broken log', detail: `there is no log in ${context.reader.label}: is its disk mounted?` }
  } catch (thrown) {
    throwIfAborted(interrupt.abort)
    if (isUnread(context, thrown)) throw thrown
    yield { finding: 'broken log', detail: asSluiceError(thrown).message }
    // Still read the files that the ledger names, because queries read them too.
    isBroken = true
  }
  const published = partitions.filter((one) => isPublished(one.state))
  const promisedSince = retentionMs === null ? 0 : (await context.ledger.now()) - retentionMs
  for (const partition of partitions.filter((one) => wanted(one.label))) {
    if (interrupt.stop.aborted) return
    if (!isPublished(partition.state) && !isPromised(partition, promisedSince)) continue
    // The log need not name the files of an expired partition.
    if (!isBroken && partition.state !== 'EXPIRED')
      yield* logFindings(partition, state?.files.get(partition.label) ?? [])
    yield* await fileFindings(context, partition)
  }
  const known = new Set(published.map(({ label }) => label))
  for (const [label, files] of state?.files ?? []) {
    if (known.has(label) || !wanted(label)) continue
    const own = partitions.find((one) => one.label === label)
    if (own !== undefined && mayBeLogged(own)) {
      yield { unended: own, logged: files.length }
      continue
    }
    const since = own === undefined ? '' : `, and the state in the ledger is ${own.state}`
    yield {
      finding: 'not in the ledger',
      partition: label,
      detail: `the log names ${files.length} files of this partition${since}`,
    }
  }
}

/** True if a bucket did not answer, or refused: its files may be intact. An error of a local disk is damage. */
export function isUnread({ reader }: Pick<ArchiveContext, 'reader'>, thrown: unknown): boolean {
  const { code } = asSluiceError(thrown)
  return reader.requests !== undefined && (code === 'SOURCE_IO' || code === 'SOURCE_DENIED')
}

/** Finding for a log of another ledger: the archive may be sound, but this ledger has not proved it. */
async function foreignLog({ log, archived }: ArchiveContext, signal: AbortSignal): Promise<ArchiveFinding | null> {
  try {
    await (await log()).own(signal, { tableId: archived.archiveId })
    return null
  } catch (thrown) {
    const { code, message } = asSluiceError(thrown)
    if (code !== 'ARCHIVE_FOREIGN' && code !== 'ARCHIVE_CONFLICT') throw thrown
    return { finding: 'foreign archive', detail: `${message}: this is not the archive of this ledger` }
  }
}

/**
 * True if the partition has expired and can be restored: its files may be the only copy of its rows. After the
 * retention, `VACUUM` of another program may remove them, unless the partition is held.
 */
function isPromised({ state, sweptMs, expired, held }: ArchivedPartition, since: number): boolean {
  return state === 'EXPIRED' && sweptMs === null && (held !== null || (expired?.ms ?? 0) > since)
}

/** True unless the ledger has recorded that the log no longer names the files of the partition. */
function mayBeLogged({ state, retracted }: ArchivedPartition): boolean {
  return state === 'RESTORED' || state === 'EXPIRED' ? !retracted : true
}

function* logFindings(partition: ArchivedPartition, logged: readonly LoggedFile[]): Generator<ArchiveFinding> {
  const { label, files } = partition
  const inLog = new Map(logged.map((file) => [file.path, file]))
  const inLedger = new Set(files.map(({ path }) => path))
  for (const { path, bytes } of files) {
    const found = inLog.get(path)
    if (found === undefined)
      yield { finding: 'not in the log', partition: label, path, detail: 'the Delta log does not name it' }
    else if (found.size !== bytes) {
      yield {
        finding: 'not in the log',
        partition: label,
        path,
        detail: `${found.size} bytes in the log, ${bytes} in the ledger`,
      }
    }
  }
  for (const { path } of logged) {
    if (!inLedger.has(path))
      yield { finding: 'not in the ledger', partition: label, path, detail: 'the Delta log names it' }
  }
  const bounds = boundFinding(partition, logged)
  if (bounds !== null) yield bounds
}

/** Queries choose partitions by the bounds in the ledger: other bounds hide rows. The tags have those of the export. */
export function boundFinding(partition: ArchivedPartition, logged: readonly LoggedFile[]): ArchiveFinding | null {
  const { label } = partition
  const own = boundsText(label, partition.from, partition.to)
  for (const { path, tags } of logged) {
    const { 'sluice.partition': named, 'sluice.from': from = null, 'sluice.to': to = null } = tags
    // Another program, which writes no tags, may have added the file.
    const theirs = named === undefined ? own : boundsText(named, from, to)
    if (theirs === own) continue
    const detail = `${theirs} in the log, and ${own} in the ledger`
    // All files of a partition have the same tags.
    return { finding: 'other bounds', partition: label, path, detail }
  }
  return null
}

function boundsText(label: string, from: string | null, to: string | null): string {
  const start = from === null ? 'without a beginning' : `from ${from}`
  return `${label} ${start} ${to === null ? 'without an end' : `to ${to}`}`
}

/** Reads all files of a partition. The last element is the `ReadCounts`. */
export async function fileFindings(
  context: ArchiveContext,
  partition: ArchivedPartition,
): Promise<readonly (ArchiveFinding | ReadCounts)[]> {
  const { label, files, digest } = partition
  const found: ArchiveFinding[] = []
  const sums = []
  let rows = 0n
  const report = progress(context, partition, 'verifying', digest?.rows ?? 0n)
  const range = await rangeColumnOf(context, partition)
  let outside: ArchiveFinding | null = null
  for (const file of files) {
    throwIfAborted(context.interrupt.abort)
    const end = await oneFile(context, partition, file)
    if ('finding' in end) found.push({ ...end, partition: label, path: file.path })
    else {
      sums.push(end.digest)
      rows += end.rows
      // A ledger that was rebuilt from the log has the bounds of its tags: only the rows show whether these are right.
      const text = range === null ? null : outsideText(partition, range, end.extents)
      if (text !== null) {
        const detail = `${text}, and its bounds are ${boundsText(label, partition.from, partition.to)}`
        outside ??= { finding: 'other bounds', partition: label, path: file.path, detail }
      }
    }
    report(rows, 0n)
  }
  if (found.length === 0 && digest !== null && !equalDigests(digestSum(sums), digest)) {
    found.push({
      finding: 'other rows',
      partition: label,
      detail: `${rows} rows, whose checksum differs from that of the source`,
    })
  }
  return [...found, ...(outside === null ? [] : [outside]), { files: files.length, rows }]
}

/** Reads all files of a partition. @returns findings; empty if the files are as proved */
export async function damageOf(
  context: ArchiveContext,
  partition: ArchivedPartition,
): Promise<readonly ArchiveFinding[]> {
  return (await fileFindings(context, partition)).filter((one) => 'finding' in one)
}

async function oneFile(
  context: ArchiveContext,
  { columns }: ArchivedPartition,
  file: ArchivedFile,
): Promise<Omit<ArchiveFinding, 'partition' | 'path'> | InspectedFile> {
  const { interrupt } = context
  try {
    const head = await context.reader.head(file.path, interrupt.abort)
    if (head === null) return { finding: 'missing file', detail: `${file.rows} rows were in the file` }
    if (BigInt(head.size) !== file.bytes) {
      return { finding: 'changed file', detail: `${head.size} bytes, and ${file.bytes} when it was proved` }
    }
    await using local = await localFiles(context, [file])
    const path = local.paths[0] ?? ''
    await stat(path)
    const parquet = await context.parquet()
    const [read] = await parquet.inspect({ columns, files: [path], signal: interrupt.abort })
    if (read === undefined) return { finding: 'unreadable file', detail: 'it could not be read' }
    if (read.sha256 !== file.sha256) return { finding: 'changed file', detail: 'its sha256 differs' }
    if (read.digest.rows !== file.rows || read.digest.sum !== file.sum) {
      return {
        finding: 'other rows',
        detail: `${read.digest.rows} rows, and ${file.rows} when it was proved, or their values differ`,
      }
    }
    return read
  } catch (thrown) {
    throwIfAborted(interrupt.abort)
    if (isUnread(context, thrown)) throw thrown
    return { finding: 'unreadable file', detail: asSluiceError(thrown).message }
  }
}
