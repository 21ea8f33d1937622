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
  /** Files that may hold rows of the part. */
  readonly files: readonly ArchivedFile[]
  /** Digest of the part's rows, over all columns of the files. */
  readonly expect: Digest
  /** Size of these files, bytes, as far as known. */
  readonly bytes: bigint
}

/**
 * A part with its digest. For a whole partition this is the proof; for some rows it is computed from the files, after
 * these were read and compared with their proof.
 * @param without paths of files that certainly have no such row
 * @throws SluiceError ARCHIVE_CONFLICT for files that differ from their proof; PROOF_FAILED, SOURCE_IO, ARCHIVE_FOREIGN
 */
export async function partDigest(
  context: ArchiveContext,
  partition: ArchivedPartition,
  test: RowTest | null,
  without: ReadonlySet<string>,
): Promise<RestoredPart> {
  await requireLogged(context, partition)
  const files = test === null ? partition.files : partition.files.filter(({ path }) => !without.has(path))
  await requireProvedFiles(context, partition, files)
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0n)
  const expect = test === null ? proofOf(partition) : await matchingRows(context, partition, test, files)
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

async function matchingRows(
  context: ArchiveContext,
  partition: ArchivedPartition,
  test: RowTest,
  files: readonly ArchivedFile[],
): Promise<Digest> {
  await using local = await localFiles(context, files)
  const parquet = await context.parquet()
  const request = { columns: partition.columns, files: local.paths, signal: context.interrupt.abort }
  const read = await parquet.inspect(request)
  const other = files.find(({ sha256, sum }, i) => sha256 !== read[i]?.sha256 || sum !== read[i]?.digest.sum)
  if (other !== undefined) {
    throw otherArchive(context.name, partition, `${other.path} has changed since it was proved`)
  }
  return digestSum(await parquet.matching({ ...request, test }))
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
