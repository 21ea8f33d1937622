/** Opens deletion vectors and data files, several at a time, and reports what is wrong with them. */
import { readVectorAt, type DeletionVector } from '../../../delta/deletion-vector.ts'
import type { Finding } from '../../../delta/fsck/finding.ts'
import { numRecordsOf } from '../../../delta/stats.ts'
import type { Footer, FileFault, ParquetFooters } from '../../../model/lake/parquet-footers.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { orderedResults } from '../in-order.ts'
import { FileInspector, vectorFindings } from './inspect-file.ts'
import { notRead } from './inspect-listing.ts'
import type { FilePlace, Places } from './places.ts'
import type { FsckProgress } from './progress.ts'
import type { FsckFile, Subject } from './subject.ts'

/** A file to be opened. */
export type FsckJob = {
  readonly file: FsckFile
  /** Null: only the file's deletion vector is checked. */
  readonly place: FilePlace | null
  readonly vector: FilePlace | 'inline' | null
}

export type ContentCounts = {
  vectors: number
  footers: number
  bounds: number
  rows: number
  pages: number
  /** Pages that have a CRC-32. */
  summedPages: number
}

type Outcome = { readonly findings: readonly Finding[]; readonly counts: ContentCounts }

/** Number of files whose footers one query reads. */
const BATCH = 32
/**
 * Batches in parallel: `near` for a folder, because DuckDB decodes one file per thread; `far` for a bucket, because a
 * read of a bucket mostly waits for the network.
 */
const PARALLEL_BATCHES = { near: 2, far: 4 } as const

type ContentOptions = {
  readonly places: Places
  /** True to read all rows, too. */
  readonly deep: boolean
  readonly signal: AbortSignal
  /** Receives every file that was checked. */
  readonly progress: FsckProgress
}

/**
 * @throws SluiceError of a store that cannot be read; bad contents of a file are findings
 */
export async function inspectContents(
  jobs: AsyncIterable<FsckJob> | Iterable<FsckJob>,
  subject: Subject,
  parquet: () => Promise<ParquetFooters>,
  { found, ...inside }: ContentOptions & { readonly found: (finding: Finding) => void },
): Promise<ContentCounts> {
  const examiner = new FileInspector(subject)
  const total: ContentCounts = { vectors: 0, footers: 0, bounds: 0, rows: 0, pages: 0, summedPages: 0 }
  const most = subject.store.requests === undefined ? PARALLEL_BATCHES.near : PARALLEL_BATCHES.far
  const work = (batch: readonly FsckJob[]): Promise<Outcome> => inspectBatch(batch, { examiner, parquet, ...inside })
  for await (const { findings, counts } of orderedResults(batches(jobs), most, work)) {
    throwIfAborted(inside.signal)
    for (const finding of findings) found(finding)
    for (const key of Object.keys(total) as (keyof ContentCounts)[]) total[key] += counts[key]
  }
  return total
}

async function* batches(jobs: AsyncIterable<FsckJob> | Iterable<FsckJob>): AsyncGenerator<readonly FsckJob[]> {
  let batch: FsckJob[] = []
  for await (const job of jobs) {
    batch.push(job)
    if (batch.length < BATCH) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

type Opened = AsyncDisposable & { readonly file: string }

type Means = ContentOptions & { readonly examiner: FileInspector; readonly parquet: () => Promise<ParquetFooters> }

async function inspectBatch(batch: readonly FsckJob[], means: Means): Promise<Outcome> {
  const { parquet, places, deep, signal, progress } = means
  const findings: Finding[] = []
  const counts: ContentCounts = { vectors: 0, footers: 0, bounds: 0, rows: 0, pages: 0, summedPages: 0 }
  const vectors = await Promise.all(batch.map((job) => vectorOf(job, places, findings, signal)))
  const opened = await Promise.all(batch.map((job) => open(job, places, deep, findings, signal)))
  try {
    const files = opened.flatMap((one) => (one === null ? [] : [one.file]))
    const footers = files.length === 0 ? [] : await (await parquet()).footers(files, signal)
    let next = 0
    for (const [i, job] of batch.entries()) {
      const local = opened[i] ?? null
      const footer = local === null ? null : (footers[next++] as Footer | FileFault)
      await inspectJob(job, { local, footer, vector: vectors[i] ?? null }, { findings, counts }, means)
      progress.add(1, job.file.size)
    }
    return { findings, counts }
  } finally {
    for (const one of opened) await one?.[Symbol.asyncDispose]()
  }
}

type Found = {
  readonly local: Opened | null
  readonly footer: Footer | FileFault | null
  readonly vector: DeletionVector | null
}

async function inspectJob(
  { file, vector: place }: FsckJob,
  { local, footer, vector }: Found,
  { findings, counts }: { readonly findings: Finding[]; readonly counts: ContentCounts },
  { examiner, parquet, deep, signal }: Means,
): Promise<void> {
  if (vector !== null) {
    counts.vectors++
    const rows = footer === null || 'fault' in footer ? numRecordsOf(file.stats) : footer.rows
    findings.push(...vectorFindings(file, vector, rows))
  } else if (file.vector !== null && place !== null) counts.vectors++
  if (footer === null || local === null) return
  counts.footers++
  const inspected = examiner.footer(file, footer)
  findings.push(...inspected.findings)
  counts.bounds += inspected.bounds
  // Without the vector it is unknown which rows the statistics cover.
  const isBlind = file.vector !== null && vector === null
  if (!deep || 'fault' in footer || isBlind) return
  const rows = await examiner.rows(file, local.file, footer, vector, await parquet(), signal)
  const known = new Set(inspected.findings.map((finding) => `${finding.kind} ${finding.column ?? ''}`))
  findings.push(...rows.findings.filter((finding) => !known.has(`${finding.kind} ${finding.column ?? ''}`)))
  counts.rows++
  counts.pages += rows.pages
  counts.summedPages += rows.summedPages
}

async function vectorOf(
  { file, vector }: FsckJob,
  places: Places,
  findings: Finding[],
  signal: AbortSignal,
): Promise<DeletionVector | null> {
  if (file.vector === null || vector === null) return null
  try {
    return await readVectorAt(vector === 'inline' ? null : vector, file.vector, signal)
  } catch (error) {
    throwIfAborted(signal)
    if (!(error instanceof SluiceError)) throw error
    const at = vector === 'inline' ? 'in the log' : vector.path
    const { path } = file
    if (error.code === 'SOURCE_GONE' || (vector !== 'inline' && (await isFolder(vector, error, signal)))) {
      findings.push({
        level: 'finding',
        kind: 'vector-missing',
        path,
        detail: `its deletion vector ${at} does not exist`,
        absent: at,
      })
      return null
    }
    if (error.code !== 'BAD_DELETION_VECTOR') {
      const why = vector === 'inline' ? null : places.skipReason(vector, error)
      if (why === null) throw error
      findings.push(notRead(path, `its deletion vector ${at}: ${why}`))
      return null
    }
    const detail = `its deletion vector ${at}: ${error.reason ?? error.message}`
    findings.push({ level: 'finding', kind: 'vector-damaged', path, detail })
    return null
  }
}

/** True if the read failed because the path is a folder, not a file. */
async function isFolder({ store, path }: FilePlace, error: SluiceError, signal: AbortSignal): Promise<boolean> {
  return error.code === 'SOURCE_IO' && !error.retryable && (await store.head(path, signal)) === null
}

async function open(
  { file, place }: FsckJob,
  places: Places,
  deep: boolean,
  findings: Finding[],
  signal: AbortSignal,
): Promise<Opened | null> {
  if (place === null) return null
  try {
    return await place.store.localFile(place.path, signal, deep ? {} : { columns: [] })
  } catch (error) {
    throwIfAborted(signal)
    const { path } = file
    if (error instanceof SluiceError && error.code === 'SOURCE_GONE') {
      findings.push({ level: 'finding', kind: 'file-missing', path, detail: 'it was listed, but no longer exists' })
      return null
    }
    const why = places.skipReason(place, error)
    if (why === null) throw error
    findings.push(notRead(path, why))
    return null
  }
}
