/** Archived rows for another table: a whole partition, or the rows that match a test. */
import type { ArchivedFile } from '../../../model/archive/archived-file.ts'
import type { RowTest } from '../../../model/archive/row-test.ts'
import { RowChecksum, digestSum } from '../../../model/copy/row-hash.ts'
import { equalDigests, type Digest, type Row } from '../../../model/copy/rows.ts'
import type { ArchivedPartition } from '../../ledger/record.ts'
import { isLogGap } from '../../log/read-state.ts'
import type { ArchiveContext } from '../context.ts'
import { localFiles } from '../local-files.ts'
import { proveLogged, requireProvedFiles } from '../prove.ts'
import { otherArchive } from '../refusals.ts'
import { proofOf } from '../step-end.ts'
import { storedRows } from '../stored-rows.ts'

export type RestoredPart = {
  readonly partition: ArchivedPartition
  /** Test with the column names of the files; null for all rows. */
  readonly test: RowTest | null
  /** Files that hold rows of the part. */
  readonly files: readonly ArchivedFile[]
  /** Digest of the part's rows, over all columns of the files. */
  readonly expect: Digest
  /** Size of these files, bytes, as far as known. */
  readonly bytes: bigint
}

/**
 * A part with its digest. For a whole partition this is the proof; for some rows it is computed from the files. Every
 * file of the partition is compared with its proof and read: statistics in the log may be wrong.
 * @throws SluiceError ARCHIVE_CONFLICT for files that differ from their proof; PROOF_FAILED, SOURCE_IO, ARCHIVE_FOREIGN
 */
export async function partDigest(
  context: ArchiveContext,
  partition: ArchivedPartition,
  test: RowTest | null,
): Promise<RestoredPart> {
  await requireLogged(context, partition)
  await requireProvedFiles(context, partition)
  const { files, expect } =
    test === null
      ? { files: partition.files, expect: proofOf(partition) }
      : await matchingRows(context, partition, test)
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0n)
  return { partition, test, files, expect, bytes }
}

/**
 * Requires that the log names the files. If a commit is missing, it only warns: each file is compared with its proof
 * anyway.
 */
async function requireLogged(context: ArchiveContext, partition: ArchivedPartition): Promise<void> {
  try {
    await proveLogged(context, partition)
  } catch (thrown) {
    if (!isLogGap(thrown)) throw thrown
    const message = `${partition.label}: the files that the ledger names are used, because the log cannot be read: ${thrown.message}`
    context.emit({ type: 'log', level: 'warn', table: context.name, message })
  }
}

/** Files with rows that match the test, and the digest of these rows. */
async function matchingRows(
  context: ArchiveContext,
  partition: ArchivedPartition,
  test: RowTest,
): Promise<Pick<RestoredPart, 'files' | 'expect'>> {
  await using local = await localFiles(context, partition.files)
  const parquet = await context.parquet()
  const request = { columns: partition.columns, signal: context.interrupt.abort }
  const digests = await parquet.matching({ ...request, files: local.paths, test })
  const isFound = (_: unknown, i: number): boolean => digests[i]?.rows !== 0n
  const files = partition.files.filter(isFound)
  const read = await parquet.inspect({ ...request, files: local.paths.filter(isFound) })
  const other = files.find(({ sha256, sum }, i) => sha256 !== read[i]?.sha256 || sum !== read[i]?.digest.sum)
  if (other !== undefined) {
    throw otherArchive(context.name, partition, `${other.path} has changed since it was proved`)
  }
  return { files, expect: digestSum(digests) }
}

/**
 * The rows of a part as in the files. After the last row, their digest is compared.
 * @throws SluiceError ARCHIVE_CONFLICT if the digest differs from the proof; as `storedRows`
 */
export async function* partRows(
  context: ArchiveContext,
  { partition, test, files, expect }: RestoredPart,
  atOnce: number,
): AsyncGenerator<readonly Row[]> {
  const sum = new RowChecksum()
  const { columns } = partition
  for await (const rows of storedRows(context, { files, columns }, columns, atOnce, test ?? undefined)) {
    for (const row of rows) sum.add(row)
    yield rows
  }
  if (equalDigests(sum.digest(), expect)) return
  throw otherArchive(context.name, partition, 'the rows in its files are not the proved ones')
}
