/** Exports rows of a partition to Parquet files, with their digest as computed by the source. */
import { createHash } from 'node:crypto'
import { readdir, rm, statfs } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { WrittenFile } from '../../model/archive/archived-file.ts'
import type { StoredColumn } from '../../model/archive/stored-column.ts'
import { wirePieces } from '../../model/archive/wire.ts'
import type { ReadPoint } from '../../model/copy/plan.ts'
import type { Digest } from '../../model/copy/rows.ts'
import { sizeText } from '../../shared/figures.ts'
import { makeDurableFolder } from '../../shared/durable-files.ts'
import { SluiceError } from '../../shared/errors.ts'
import { isDiskExhausted, spaceExhausted } from '../../shared/guide-errors.ts'
import type { RowRequest, SourceView } from '../../model/copy/source-port.ts'
import type { PartitionTable } from '../../model/archive/port.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import { partitionFolder } from '../log/data-path.ts'
import { ledgerOfApp } from '../log/ledger-name.ts'
import { FilePaths } from '../log/same-file.ts'
import {
  progress,
  exportedReadColumns,
  partitionRowRequest,
  type ArchiveContext,
  type Pace,
  type ClaimedPartition,
} from './context.ts'
import { refuseNullKeys } from './null-keys.ts'
import { longValueError, refuseLongBytes } from './long-value.ts'
import { pacedDigest } from './paced-digest.ts'
import { refusedValueOf } from './refused-value.ts'
import { changedRows, missingTableError } from './refusals.ts'
import { refuseViolations } from './unchecked.ts'

export type ExportedPartition = {
  readonly files: readonly WrittenFile[]
  readonly prefix: string
  readonly digest: Digest
  /** Bytes of text read from the source. */
  readonly bytes: bigint
  readonly point: ReadPoint
  /** Time until the files were complete, ms. The digest of the source may have taken longer. */
  readonly ms: number
}

/** Columns to export: a detached table keeps its own columns; any other partition has the columns of the table. */
export function exportColumns(
  { archived }: ArchiveContext,
  { away, leaving, columns }: Pick<ArchivedPartition, 'away' | 'leaving' | 'columns'>,
): readonly StoredColumn[] {
  return away || leaving ? columns : archived.stored.columns
}

/** Limits of one batch, for a source that cannot print rows as CSV. */
const BATCH = { rows: 5000, bytes: 4 * 1024 * 1024 }

/**
 * Writes the files to their final place if the archive is on a disk, otherwise to a spool folder.
 * @throws SluiceError PARTITION_CHANGED if the row counts of digest, text and files differ; UNSUPPORTED_KEY for rows
 * without a key; ROW_REFUSED for rows that could not be restored; VALUE_REFUSED, NO_SPACE …
 */
export async function exportPartition(
  context: ArchiveContext,
  work: ClaimedPartition,
  native: PartitionTable | null,
): Promise<ExportedPartition> {
  const { partition, held } = work
  const { ledger, store } = context
  if (partition.native !== null && (native === null || native.identity !== partition.native.identity)) {
    throw missingTableError(context.name, partition)
  }
  // Before any row is read, refuse a bucket in which a commit could be overwritten.
  await context.writer.ready?.(context.interrupt.abort)
  const prefix = newPrefix(context, held)
  await removeLeftovers(context, work)
  await ledger.move(held, partition.state, 'EXPORTING', {
    filePrefix: prefix,
    error: null,
    removed: { rows: 0n, sum: '0' },
  })
  await using view = await store.source(context.interrupt.abort)
  const columns = exportedReadColumns(exportColumns(context, partition))
  const request = { ...partitionRowRequest(context, partition, native?.table ?? context.table), columns }
  await refuseNullKeys(partition.label, view, request, context.interrupt.abort)
  await refuseViolations(context, partition, view, request)
  const { files, digest, bytes, rows, ms } = await exportAndDigest(context, work, view, request, prefix).catch(
    async (error: unknown) => {
      if (!(error instanceof SluiceError) || error.code !== 'VALUE_REFUSED') throw error
      const natives = await store.offers.partitions?.list(context.table, context.interrupt.abort)
      throw refusedValueOf(error, exportColumns(context, partition), context.archived.timeColumn ?? natives?.by ?? null)
    },
  )
  const written = files.reduce((sum, file) => sum + file.rows, 0n)
  if (rows !== digest.rows || written !== rows) {
    throw changedRows(
      context.name,
      partition,
      `the source counted ${digest.rows} rows, printed ${rows}, and ${written} were written`,
    )
  }
  return { files, prefix, digest, bytes, point: view.point, ms }
}

type ExportReads = {
  readonly files: readonly WrittenFile[]
  readonly digest: Digest
  readonly rows: bigint
  readonly bytes: bigint
  readonly ms: number
}

/** Reads the rows twice: as text for files, and for the source's digest. If one read fails, the other is aborted. */
async function exportAndDigest(
  context: ArchiveContext,
  { partition }: ClaimedPartition,
  view: SourceView,
  request: RowRequest,
  prefix: string,
): Promise<ExportReads> {
  const columns = exportColumns(context, partition)
  const { stored: noted } = context.archived
  const isThere = (name: string): boolean => columns.some((column) => column.name === name)
  const stored = { ...noted, columns, sortBy: noted.sortBy.filter(isThere) }
  const failed = new AbortController()
  const signal = AbortSignal.any([context.interrupt.abort, failed.signal])
  // For a period of a plain table, the number of rows is unknown: 0.
  const rows = partition.native === null ? 0n : request.table.rows
  const report = progress(context, partition, 'exporting', rows)
  const seen = { rows: -1n, bytes: 0n }
  const csv = counted(view, request, {
    name: context.name,
    columns: stored.columns,
    signal,
    seen,
    reportProgress: report,
    pace: context.pace,
  })
  const folder = await dataFolder(context, partition.label)
  const begun = context.clock.ticks()
  const parquet = await context.parquet()
  const write = parquet.write({ table: stored, folder, prefix, fileBytes: context.fileBytes, signal }, csv)
  let ms = 0
  const written = write.then((files) => {
    ms = context.clock.ticks() - begun
    return files
  })
  // Both reads together use four processors: with fewer, they run one after the other.
  const sum = (availableParallelism() < 4 ? written.then(() => undefined) : Promise.resolve()).then(() =>
    pacedDigest(context, partition, view, request, signal),
  )
  const stop = (error: unknown): never => {
    failed.abort(error)
    throw error
  }
  const [files, digest] = await Promise.allSettled([written.catch(stop), sum.catch(stop)])
  if (failed.signal.aborted) {
    await removeParts(folder, prefix)
    const { reason } = failed.signal as { readonly reason: unknown }
    const long = await longValueError(reason, context, request)
    throw long ?? (await withNeededSpace(reason, partition.label, folder, seen))
  }
  if (files.status === 'rejected') throw files.reason
  if (digest.status === 'rejected') throw digest.reason
  return { files: files.value, digest: digest.value, rows: seen.rows, bytes: seen.bytes, ms }
}

/** Folder for new files of a partition: the final place, which is durable, or a spool folder for a bucket. */
export async function dataFolder({ writer, archived, spool }: ArchiveContext, label: string): Promise<string> {
  const folder = join(writer.folder ?? spool, partitionFolder(archived.stored.partitionColumn, label))
  await makeDurableFolder(folder)
  return folder
}

/**
 * Prefix of the names of an attempt's files. It contains a digest of the label: labels that differ only in case share a
 * folder on a file system that ignores case.
 */
export function newPrefix(
  { runId }: Pick<ArchiveContext, 'runId'>,
  { label, fence }: ClaimedPartition['held'],
): string {
  return `part-${runId}-${fence}-${createHash('sha256').update(label).digest('hex').slice(0, 8)}`
}

/** Deletes files of a failed attempt, which no log names: the next attempt may need their space. */
export async function removeParts(folder: string, prefix: string): Promise<void> {
  const names = await readdir(folder).catch(() => [])
  const own = names.filter((name) => name.startsWith(`${prefix}-`))
  await Promise.all(own.map((name) => rm(join(folder, name), { force: true }).catch(() => undefined)))
}

/** Adds the needed space to a disk-full error. @param thrown error of an export */
async function withNeededSpace(thrown: unknown, label: string, folder: string, seen: ReadSoFar): Promise<unknown> {
  if (!(thrown instanceof SluiceError) || !isDiskExhausted(thrown)) return thrown
  const free = await statfs(folder).catch(() => null)
  const had = free === null ? '' : `; ${sizeText(free.bavail * free.bsize)} are free at ${folder}`
  const whole = seen.rows >= 0n ? '' : ' so far'
  return new SluiceError(
    ...spaceExhausted({
      where: thrown.where ?? folder,
      reason: `the rows of ${label} are ${sizeText(Number(seen.bytes))} of text${whole}, and their files need up to that${had}`,
      hint: 'free or add that much space on the disk of the archive (for a bucket: of the temporary folder), and run the same command again',
      cause: thrown,
    }),
  )
}

type ReadSoFar = { rows: bigint; bytes: bigint }

type Counting = {
  readonly name: string
  readonly columns: readonly StoredColumn[]
  readonly signal: AbortSignal
  readonly seen: ReadSoFar
  readonly reportProgress: (rows: bigint, bytes: bigint) => void
  readonly pace: Pace
}

async function* counted(
  view: SourceView,
  request: RowRequest,
  { name, columns, signal, seen, reportProgress: report, pace }: Counting,
): AsyncGenerator<Buffer> {
  if (view.csv === undefined) {
    let rows = 0n
    for await (const batch of view.read(request, BATCH, signal)) {
      rows += BigInt(batch.rows.length)
      refuseLongBytes(batch.rows, request, { name })
      for (const text of wirePieces(batch.rows, columns)) {
        seen.bytes += BigInt(text.length)
        report(rows, seen.bytes)
        await pace.take(text.length, signal)
        yield text
      }
    }
    seen.rows = rows
    return
  }
  const pieces = view.csv(request, signal)
  let bytesOfRow = 0
  for (;;) {
    const next = await pieces.next()
    if (next.done === true) {
      seen.rows = next.value
      return
    }
    seen.bytes += BigInt(next.value.length)
    // An estimate is sufficient for the progress; the exact number is known when all rows are printed and written.
    if (bytesOfRow === 0) bytesOfRow = next.value.length / Math.max(1, linesOf(next.value))
    report(BigInt(Math.round(Number(seen.bytes) / bytesOfRow)), seen.bytes)
    await pace.take(next.value.length, signal)
    yield next.value
  }
}

function linesOf(text: Buffer): number {
  let lines = 0
  for (let at = text.indexOf(10); at !== -1; at = text.indexOf(10, at + 1)) lines++
  return lines
}

/**
 * Removes files of an interrupted attempt, except files that the log names. If the log names another ledger, all files
 * stay: a sweep reads that ledger before it removes files.
 */
export async function removeLeftovers(context: ArchiveContext, { partition }: ClaimedPartition): Promise<void> {
  const { filePrefix, label, state } = partition
  // Files of a restored partition belong to older versions of the archive.
  if (filePrefix === null || state === 'RESTORED') return
  const { writer, interrupt, archived } = context
  const logged = await (await context.log()).own(interrupt.abort)
  // In a copied database, the ledger has names of files that the original database has written.
  const own = (await context.heads.name())?.id
  const ledgers = [...(logged?.txns.keys() ?? [])].flatMap((appId) => ledgerOfApp(appId) ?? [])
  if (ledgers.some(({ id }) => id !== own)) return
  // A folder may also have files of a label that differs in case only.
  const paths = [...(logged?.files.values() ?? [])].flat().map(({ path }) => path)
  const named = new FilePaths(writer.folder, paths)
  const folder = partitionFolder(archived.stored.partitionColumn, label)
  for await (const { path } of writer.listAll(folder, interrupt.abort)) {
    const name = path.slice(path.lastIndexOf('/') + 1)
    const isLeft = name.startsWith(`${filePrefix}-`) && (await named.lacks(path))
    if (isLeft) await writer.remove(path, interrupt.abort)
  }
}
