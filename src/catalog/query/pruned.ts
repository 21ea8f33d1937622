/**
 * Files that a condition cannot rule out. Partitions are judged once each, by their values; the statistics of the files that remain are
 * judged one by one, exactly. No file that could match is ever dropped.
 */
import { compilePruning, type Pruning } from '../../delta/pruning.ts'
import { schemaOf } from '../../delta/schema.ts'
import { parsePredicate } from '../../model/predicate.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { SqlReader } from '../../stores/port.ts'
import { activeFiles, filesOfPartitions, partitionsOf, type FileRecord } from './files.ts'
import { stateAt } from './state.ts'

/** Binds a condition to the table as it was at a version. @throws SluiceError BAD_PREDICATE */
export async function pruningAt(
  database: SqlReader,
  tableId: string,
  version: number,
  where: string,
): Promise<Pruning> {
  const { protocol, metadata } = await stateAt(database, tableId, version)
  if (protocol === null || metadata === null) {
    throw new SluiceError('HISTORY_MISSING', `the catalog holds no schema of ${tableId} at version ${version}`)
  }
  return compilePruning(parsePredicate(where), schemaOf(protocol, metadata), metadata.partitionColumns)
}

export type PartitionValues = Readonly<Record<string, string | null>>

/** Active files whose partition may match, in pages; all of them without a condition on partition columns. */
export async function* filesByPartition(
  database: SqlReader,
  tableId: string,
  version: number,
  pruning: Pruning | null,
): AsyncGenerator<readonly FileRecord[]> {
  if (pruning === null || pruning.partitionColumns.length === 0) {
    yield* activeFiles(database, tableId, version)
    return
  }
  const partitions = (await partitionsOf(database, tableId)).filter(({ values }) =>
    pruning.byPartition(JSON.parse(values) as PartitionValues),
  )
  yield* filesOfPartitions(
    database,
    tableId,
    version,
    partitions.map(({ no }) => no),
  )
}

/** Active files that may hold a matching row, in pages. */
export async function* prunedFiles(
  database: SqlReader,
  tableId: string,
  version: number,
  pruning: Pruning | null,
): AsyncGenerator<readonly FileRecord[]> {
  for await (const page of filesByPartition(database, tableId, version, pruning)) {
    const kept =
      pruning === null
        ? page
        : page.filter((file) => pruning.byFile(JSON.parse(file.partitionValues) as PartitionValues, file.stats))
    if (kept.length > 0) yield kept
  }
}
