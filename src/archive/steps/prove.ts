/** Reads all files of a partition completely, and compares their rows with the digest of the source. */
import { join } from 'node:path'
import type { ArchivedFile, InspectedFile } from '../../model/archive/archived-file.ts'
import type { StoredColumn } from '../../model/archive/stored-column.ts'
import { equalDigests, type Digest } from '../../model/copy/rows.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { asSluiceError, SluiceError } from '../../shared/errors.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import { digestSum } from '../../model/copy/row-hash.ts'
import { progress, type ArchiveContext } from './context.ts'
import { localFiles, sha256InPlace } from './local-files.ts'
import { damagedFile, notLogged, otherArchive } from './refusals.ts'

/**
 * Reads every byte and every column of local files.
 * @param paths relative to the folder
 * @returns the files in order, with paths relative to the root
 * @throws SluiceError PROOF_FAILED if the digest of their rows differs from `expected`
 */
export async function proveFiles(
  context: ArchiveContext,
  partition: Pick<ArchivedPartition, 'label' | 'columns'>,
  expected: Digest,
  paths: readonly string[],
  folder: string,
): Promise<readonly InspectedFile[]> {
  const { interrupt, name } = context
  const report = progress(context, partition, 'verifying', expected.rows)
  report(0n, 0n, true)
  const parquet = await context.parquet()
  const files = await parquet.inspect({
    columns: partition.columns,
    files: paths.map((path) => join(folder, path)),
    signal: interrupt.abort,
  })
  const read = digestSum(files.map(({ digest }) => digest))
  report(read.rows, 0n, true)
  if (!equalDigests(read, expected)) {
    const what = read.rows === expected.rows ? 'other values' : `${read.rows} rows instead of ${expected.rows}`
    throw new SluiceError('PROOF_FAILED', `the Parquet files of ${partition.label} of ${name} have ${what}`, {
      where: `${name}, ${partition.label}`,
      hint: 'nothing was removed from the source; run the same command to write the files again',
    })
  }
  return files.map((file, i) => ({ ...file, name: paths[i] ?? file.name }))
}

/**
 * Reads the published files of a partition again from the archive, before an irreversible step.
 * @throws SluiceError ARCHIVE_CONFLICT for files that differ from their proof, or that the log does not name;
 * PROOF_FAILED
 */
export async function proveArchived(
  context: ArchiveContext,
  partition: ArchivedPartition,
): Promise<readonly InspectedFile[]> {
  // Expired files are named by older versions only.
  if (partition.state !== 'EXPIRED') await proveLogged(context, partition)
  return proveInPlace(context, partition)
}

/** `proveArchived` without a check of the log. @throws SluiceError as `proveArchived` */
export async function proveInPlace(
  context: ArchiveContext,
  partition: ArchivedPartition,
): Promise<readonly InspectedFile[]> {
  const { digest, files } = partition
  if (digest === null) throw new Error(`${partition.label} has no proof`)
  return withDamagedFile(context, partition, async () => {
    await using local = await localFiles(context, files)
    const inspected = await proveFiles(context, partition, digest, pathsOf(files), local.folder)
    if (inspected.some(({ sha256 }, i) => sha256 !== files[i]?.sha256)) await requireProvedFiles(context, partition)
    return inspected
  })
}

function pathsOf(files: readonly ArchivedFile[]): readonly string[] {
  return files.map(({ path }) => path)
}

/** Runs `work` on files of a partition. If it fails because a file is damaged, the error names that file. */
async function withDamagedFile<T>(
  context: ArchiveContext,
  partition: ArchivedPartition,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work()
  } catch (thrown) {
    throwIfAborted(context.interrupt.abort)
    await requireProvedFiles(context, partition).catch((found: unknown) => {
      // If the store does not answer, keep the original error.
      if (asSluiceError(found).code === 'ARCHIVE_CONFLICT') throw found
    })
    throw thrown
  }
}

/** Requires the files of a partition to have the proved bytes. @throws SluiceError ARCHIVE_CONFLICT if one differs */
export async function requireProvedFiles(
  context: ArchiveContext,
  partition: ArchivedPartition,
  files: readonly ArchivedFile[] = partition.files,
): Promise<void> {
  const { reader, interrupt, name } = context
  for (const { path, bytes, sha256 } of files) {
    const head = await reader.head(path, interrupt.abort)
    if (head === null) throw damagedFile(name, partition, path, 'is missing')
    const isSame = BigInt(head.size) === bytes && (await sha256InPlace(context, path)) === sha256
    if (!isSame) throw damagedFile(name, partition, path, 'has changed since it was proved')
  }
}

/**
 * Digest of some columns of a partition, in the types of `columns`: the proof if these are all columns of the files,
 * otherwise computed from the files, which are proved first.
 * @throws SluiceError PROOF_FAILED if the rows of the files differ from the proof
 */
export async function proofOver(
  context: ArchiveContext,
  partition: ArchivedPartition,
  columns: readonly StoredColumn[],
): Promise<Digest> {
  const { digest: proof } = partition
  if (proof === null) throw new Error(`${partition.label} has no proof`)
  if (columns.length === partition.columns.length && columns.every((column) => isProved(column, partition)))
    return proof
  return withDamagedFile(context, partition, async () => {
    await using local = await localFiles(context, partition.files)
    await proveFiles(context, partition, proof, pathsOf(partition.files), local.folder)
    const parquet = await context.parquet()
    const files = await parquet.inspect({
      columns,
      all: partition.columns,
      files: local.paths,
      signal: context.interrupt.abort,
    })
    return digestSum(files.map(({ digest }) => digest))
  })
}

/** True if the proof covers the column as the same type. */
function isProved({ physical, as }: StoredColumn, { columns }: Pick<ArchivedPartition, 'columns'>): boolean {
  const proved = columns.find((column) => column.physical === physical)
  return proved !== undefined && JSON.stringify(proved.as) === JSON.stringify(as)
}

/** Checks that the newest version of the Delta table names exactly the files of the partition. */
export async function proveLogged(context: ArchiveContext, partition: ArchivedPartition): Promise<void> {
  const state = await (await context.log()).own(context.interrupt.abort)
  const logged = state?.files.get(partition.label) ?? []
  const wanted = new Map(partition.files.map((file) => [file.path, file]))
  const same =
    logged.length === wanted.size &&
    logged.every(({ path, size }) => {
      const file = wanted.get(path)
      return file !== undefined && file.bytes === size
    })
  if (same) return
  if (logged.length === 0) throw notLogged(context.name, partition)
  throw otherArchive(context.name, partition, 'the Delta log names other files')
}

/** Files in the form of the ledger. @param etags ETags of files in a bucket, by name */
export function archivedFiles(
  files: readonly InspectedFile[],
  etags: ReadonlyMap<string, string> = new Map(),
): readonly ArchivedFile[] {
  return files.map(({ name, bytes, rows, sha256, digest }) => {
    const etag = etags.get(name)
    return { path: name, bytes, rows, sha256, sum: digest.sum, ...(etag === undefined ? {} : { etag }) }
  })
}
