/**
 * Finds files that a condition cannot exclude. Each partition is tested once, by its values, then each remaining file
 * by its statistics. If columns have ranges, SQL first excludes files by the ranges: their statistics are not read. A
 * file that could match is never excluded.
 */
import { compilePruning, type Pruning } from '../../delta/pruning.ts'
import { parsePredicate } from '../../model/lake/predicate.ts'
import type { SqlReader } from '../../model/run/sql-port.ts'
import { candidateFiles, type Candidates } from '../ranges/candidates.ts'
import type { BoundCondition } from '../ranges/condition.ts'
import { countsAt } from './counts.ts'
import {
  activeFiles,
  filesOfPartitions,
  numberedFiles,
  catalogPartitions,
  sumOfPartitions,
  uncoveredFiles,
  type FileRecord,
} from './files.ts'
import { schemaAt } from './state.ts'

/** A condition bound to a table, with its predicate and schema. */
export type TablePruning = Pruning & { readonly bound: BoundCondition }

/** Minimum number of files for a query of the ranges: for fewer files, reading the statistics is faster. */
const FEW_FILES = 2_000
/** Maximum share of the files that is read by file numbers: for a larger share, reading all files is faster. */
const MOST_SHARE = 0.25

/** Binds a condition to the table as it was at a version. @throws SluiceError BAD_PREDICATE */
export async function pruningAt(
  database: SqlReader,
  tableId: string,
  version: number,
  where: string,
): Promise<TablePruning> {
  const { schema, partitionColumns } = await schemaAt(database, tableId, version)
  const predicate = parsePredicate(where)
  return { ...compilePruning(predicate, schema, partitionColumns), bound: { predicate, schema, partitionColumns } }
}

export type CatalogPartitionValues = Readonly<Record<string, string | null>>

type Partitions = { readonly chosen: readonly number[]; readonly all: number }

/** Numbers of the partitions that may match, or null without a condition on partition columns. */
async function partitionsFor(
  database: SqlReader,
  tableId: string,
  pruning: Pruning | null,
): Promise<Partitions | null> {
  if (pruning === null || pruning.partitionColumns.length === 0) return null
  const all = await catalogPartitions(database, tableId)
  const chosen = all.filter(({ values }) => pruning.byPartition(JSON.parse(values) as CatalogPartitionValues))
  return { chosen: chosen.map(({ no }) => no), all: all.length }
}

/** Number and bytes of the active files whose partition may match. */
export async function totalsByPartition(
  database: SqlReader,
  tableId: string,
  version: number,
  pruning: Pruning,
): Promise<{ readonly files: number; readonly bytes: number }> {
  const partitions = await partitionsFor(database, tableId, pruning)
  if (partitions === null) return countsAt(database, tableId, version)
  return sumOfPartitions(database, tableId, version, partitions.chosen)
}

/**
 * Active files that may contain a matching row, in pages. A condition needs several statements: only with the reader of
 * a transaction do they see one state of the catalog.
 */
export async function* prunedFiles(
  database: SqlReader,
  tableId: string,
  version: number,
  pruning: TablePruning | null,
): AsyncGenerator<readonly FileRecord[]> {
  for await (const page of filesToTest(database, tableId, version, pruning)) {
    const kept =
      pruning === null
        ? page
        : page.filter((file) => pruning.byFile(JSON.parse(file.partitionValues) as CatalogPartitionValues, file.stats))
    if (kept.length > 0) yield kept
  }
}

/** Active files that partition values and ranges of columns cannot exclude; their statistics must still be tested. */
async function* filesToTest(
  database: SqlReader,
  tableId: string,
  version: number,
  pruning: TablePruning | null,
): AsyncGenerator<readonly FileRecord[]> {
  const partitions = await partitionsFor(database, tableId, pruning)
  const found = pruning === null ? null : await byRanges(database, tableId, version, pruning, partitions)
  if (found !== null) {
    yield* numberedFiles(database, tableId, version, found)
    yield* uncoveredFiles(database, tableId, version, found)
  } else if (partitions === null) yield* activeFiles(database, tableId, version)
  else yield* filesOfPartitions(database, tableId, version, partitions.chosen)
}

async function byRanges(
  database: SqlReader,
  tableId: string,
  version: number,
  pruning: TablePruning,
  partitions: Partitions | null,
): Promise<Candidates | null> {
  if (pruning.dataColumns.length === 0) return null
  const { files } = await countsAt(database, tableId, version)
  const share = partitions === null ? 1 : partitions.chosen.length / Math.max(1, partitions.all)
  const others = files * share
  return others < FEW_FILES ? null : candidateFiles(database, tableId, pruning.bound, others * MOST_SHARE)
}
