/** The archived part of a table: which partitions count, which of them a query needs, and their files. */
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

/** Files of a bucket that are looked at, or fetched, at the same time. */
const AT_ONCE = 8

/** Partitions whose rows are those of the archive, by their bounds. */
export function archivedPartitions(record: ArchiveRecord | null): readonly ArchivedPartition[] {
  return (record?.partitions ?? []).filter(({ state }) => isArchived(state))
}

/** Partitions whose rows count in a table of their own, outside of the one that is asked for. */
export function awayPartitions(record: ArchiveRecord | null): readonly ArchivedPartition[] {
  return (record?.partitions ?? []).filter(({ away }) => away)
}

/** Partitions of which the ledger alone does not know whether their rows are still found through the table that is asked for. */
export function leavingPartitions(record: ArchiveRecord | null): readonly ArchivedPartition[] {
  return (record?.partitions ?? []).filter(({ leaving, state }) => leaving && !isArchived(state))
}

/** Equal as long as the same rows are those of the archive, and the same tables hold the others. What else happens to partitions changes no answer. */
export function countedOf(record: ArchiveRecord | null): string {
  const counted = archivedPartitions(record).map((partition) => [
    partition.label,
    partition.state,
    partition.restoring,
    partition.files.map(({ path }) => path),
  ])
  const away = awayPartitions(record).map(({ label, native }) => [label, native?.identity])
  return JSON.stringify([record?.archive, record?.stored, counted, away])
}

/**
 * Whether a partition may hold rows of an interval of the column that it is a range of.
 * @param column null where nobody knows it
 */
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

/** Files on a local disk, as long as it is not disposed. */
export class LocalFiles implements AsyncDisposable {
  readonly files: readonly QueryFile[]
  /** Files whose bytes were not compared with the ledger. */
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

/** Where files lie on a local disk for good; none of those in a bucket, and none that are not there. */
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
 * Size and, where a bucket said one at the publication, ETag of each file are those of the ledger.
 * @param columns names in Parquet of those that are read; null for all of each file, whose sha256 is compared then, before anything is read from it
 * @param checked compares the sha256 of files on a local disk, once for each
 * @throws SluiceError PARTITION_CHANGED for a file that is not there, of another size, another object of its name, or with other bytes
 */
export async function openFiles(
  lake: LogStore,
  wanted: readonly PlacedFile[],
  columns: readonly string[] | null,
  signal: AbortSignal,
  checked: CheckedFiles | null = null,
): Promise<LocalFiles> {
  const all: Local[] = []
  try {
    for (let from = 0; from < wanted.length; from += AT_ONCE) {
      const some = wanted.slice(from, from + AT_ONCE)
      const opened = await Promise.allSettled(some.map((file) => openFile(lake, file, columns, signal, checked)))
      for (const one of opened) if (one.status === 'fulfilled') all.push(one.value)
      for (const one of opened) if (one.status === 'rejected') throw one.reason
    }
    return new LocalFiles(all)
  } catch (error) {
    await new LocalFiles(all)[Symbol.asyncDispose]()
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
  if (found === null) throw changed(label, 'it is not there')
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
      throw changed(label, 'its sha256 is another one, in its place or on the way here')
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
  return new SluiceError('PARTITION_CHANGED', `a file of the archive is not what was proved: ${what}`, {
    where,
    hint: 'sluice archive verify says what else is wrong',
  })
}
