/** The archived part of a table: partitions that queries read from the archive, and their files. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import type { ArchivedPartition, ArchiveRecord } from '../ledger/record.ts'
import type { ArchivedFile } from '../../model/archive/archived-file.ts'
import type { Interval, QueryColumn, QueryFile } from '../../model/archive/query-port.ts'
import { isArchived } from '../../model/archive/state.ts'
import type { LogStore } from '../../model/lake/log-store.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { CheckedFiles } from './checked-files.ts'
import { unitsOf } from './units.ts'

/** Number of files that are checked or downloaded in parallel. */
const AT_ONCE = 8

/** Partitions whose rows queries read from the archive. */
export function archivedPartitions(record: ArchiveRecord | null): readonly ArchivedPartition[] {
  return (record?.partitions ?? []).filter(({ state }) => isArchived(state))
}

/** Partitions with a detached table: queries still read the rows from this table, not from the archive. */
export function detachedPartitions(record: ArchiveRecord | null): readonly ArchivedPartition[] {
  return (record?.partitions ?? []).filter(({ away }) => away)
}

/** Partitions with a detach that has begun or will begin: only the system catalogs show whether it has happened. */
export function leavingPartitions(record: ArchiveRecord | null): readonly ArchivedPartition[] {
  return (record?.partitions ?? []).filter(({ leaving, state }) => leaving && !isArchived(state))
}

/**
 * Fingerprint of what queries read: the archive and its columns, partitions with their files, and detached tables.
 * Other changes of partitions do not affect an answer.
 */
export function readFingerprint(record: ArchiveRecord | null): string {
  const counted = archivedPartitions(record).map((partition) => [
    partition.label,
    partition.state,
    partition.restoring,
    partition.files.map(({ path }) => path),
  ])
  const away = detachedPartitions(record).map(({ label, native }) => [label, native?.identity])
  return JSON.stringify([record?.archive, record?.stored, counted, away])
}

/** True if a partition may hold rows in an interval of its range column. @param column null: any partition may match */
export function mayMatch(
  { from, to }: Pick<ArchivedPartition, 'from' | 'to'>,
  column: QueryColumn | null,
  intervals: readonly Interval[],
): boolean {
  const interval = intervals.find((one) => one.column === column?.name)
  if (column === null || interval === undefined) return true
  const low = from === null ? null : unitsOf(from, column.stored)
  const high = to === null ? null : unitsOf(to, column.stored)
  if (low !== null && interval.most !== null && interval.most < low) return false
  return high === null || interval.least === null || interval.least < high
}

type Local = { readonly file: QueryFile; readonly isChecked: boolean; readonly release: () => Promise<void> }

/** Opened files on a local disk; disposing removes downloaded copies. */
export class QueriedLocalFiles implements AsyncDisposable {
  readonly files: readonly QueryFile[]
  /** Number of files whose bytes were not compared with the ledger. */
  readonly unchecked: number
  readonly #all: readonly Local[]

  constructor(all: readonly Local[]) {
    this.#all = all
    this.files = all.map(({ file }) => file)
    this.unchecked = all.filter(({ isChecked }) => !isChecked).length
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#all.map(({ release }) => release()))
  }
}

/** Permanent paths of files on a local disk; none for a bucket, and none for missing files. */
export async function localPaths(
  lake: LogStore | null,
  files: readonly ArchivedFile[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (lake === null || lake.requests !== undefined) return []
  const found: string[] = []
  for (const { path } of files) {
    if ((await lake.head(path, signal)) === null) continue
    await using local = await lake.localFile(path, signal)
    found.push(local.file)
  }
  return found
}

/** A file and its columns. */
export type PlacedFile = ArchivedFile & Pick<QueryFile, 'has'>

/** The files of a partition. */
export function placedFiles({ files, columns }: Pick<ArchivedPartition, 'files' | 'columns'>): readonly PlacedFile[] {
  const has = columns.map(({ physical, stored }) => ({ physical, stored }))
  return files.map((file) => ({ ...file, has }))
}

/**
 * Opens files after checking size and, if recorded at the publication, ETag against the ledger.
 * @param columns Parquet names of the columns to read; null for complete files, whose sha256 is then compared first
 * @param checked compares the sha256 of files on a local disk, once per file; null: only complete files are compared
 * @throws SluiceError PARTITION_CHANGED for a file that is missing, has another size, ETag or sha256
 */
export async function openFiles(
  lake: LogStore,
  wanted: readonly PlacedFile[],
  columns: readonly string[] | null,
  signal: AbortSignal,
  checked: CheckedFiles | null = null,
): Promise<QueriedLocalFiles> {
  const all: Local[] = []
  try {
    for (let from = 0; from < wanted.length; from += AT_ONCE) {
      const some = wanted.slice(from, from + AT_ONCE)
      const opened = await Promise.allSettled(some.map((file) => openFile(lake, file, columns, signal, checked)))
      for (const one of opened) if (one.status === 'fulfilled') all.push(one.value)
      for (const one of opened) if (one.status === 'rejected') throw one.reason
    }
    return new QueriedLocalFiles(all)
  } catch (error) {
    await new QueriedLocalFiles(all)[Symbol.asyncDispose]()
    throw error
  }
}

async function openFile(
  lake: LogStore,
  { path, bytes, rows, sha256, etag, has }: PlacedFile,
  columns: readonly string[] | null,
  signal: AbortSignal,
  checked: CheckedFiles | null,
): Promise<Local> {
  const label = `${lake.label}/${path}`
  const found = await lake.head(path, signal)
  if (found === null) throw changed(label, 'it does not exist')
  if (BigInt(found.size) !== bytes) throw changed(label, `it has ${found.size} bytes instead of ${bytes}`)
  if (etag !== undefined && found.etag != null && found.etag !== etag) {
    throw changed(label, `its ETag is ${found.etag}, and was ${etag} when it was published`)
  }
  const only =
    columns === null ? {} : { columns: columns.filter((name) => has.some(({ physical }) => physical === name)) }
  const local = await lake.localFile(path, signal, { ...only, known: found }).catch((error: unknown) => {
    if (error instanceof SluiceError && error.code === 'LOG_CHANGED') throw changed(label, 'it was replaced just now')
    throw error
  })
  const compute = (): Promise<string> => sha256Of(local.file, signal)
  const isOnDisk = lake.requests === undefined
  const isChecked = columns === null || (checked !== null && isOnDisk && sha256 !== '')
  const isSame = async (): Promise<boolean> =>
    columns === null || checked === null ? (await compute()) === sha256 : await checked.has(local.file, sha256, compute)
  try {
    if (isChecked && !(await isSame()))
      throw changed(label, 'its sha256 differs: it was changed in the archive or during the download')
  } catch (error) {
    await local[Symbol.asyncDispose]()
    throw error
  }
  const release = async (): Promise<void> => local[Symbol.asyncDispose]()
  return { file: { file: local.file, label, rows, has }, isChecked, release }
}

async function sha256Of(file: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  for await (const bytes of createReadStream(file, { signal })) hash.update(bytes as Buffer)
  return hash.digest('hex')
}

function changed(where: string, what: string): SluiceError {
  return new SluiceError('PARTITION_CHANGED', `a file of the archive differs from the proved one: ${what}`, {
    where,
    hint: 'run sluice archive verify to find all damaged files',
  })
}
