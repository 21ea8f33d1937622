/** Active files of a version. One range predicate selects them at every version, without a replay. */
import type { Candidates } from '../ranges/candidates.ts'
import type { SqlReader, SqlRow } from '../../model/run/sql-port.ts'
import { keyHash } from '../../shared/hash.ts'
import { canonicalPath } from '../../delta/paths.ts'
import { dialectOf } from '../dialect.ts'
import { inLists } from '../in-lists.ts'

export type FileRecord = {
  readonly fileNo: number
  readonly path: string
  readonly dvId: string | null
  readonly size: number
  readonly modificationTime: number
  readonly rows: number | null
  readonly addedVersion: number
  /** JSON text. */
  readonly partitionValues: string
  readonly deletionVector: string | null
  readonly stats: string | null
  /** JSON text. */
  readonly tags: string | null
  readonly baseRowId: number | null
  readonly defaultRowCommitVersion: number | null
  readonly clusteringProvider: string | null
}

const COLUMNS = `file_no, path, dv_id, size, modification_time, num_records, added_version, partition_values, deletion_vector, stats,
  tags, base_row_id, default_row_commit_version, clustering_provider`
export const ACTIVE = 'added_version <= ? AND (removed_version IS NULL OR removed_version > ?)'
/** Partition numbers per statement, well below every database's limit of parameters. */
const IDS_A_STATEMENT = 500
const PAGE_ROWS = 5_000

/** All active files, in the order of the log, in pages. */
export async function* activeFiles(
  reader: SqlReader,
  tableId: string,
  version: number,
): AsyncGenerator<readonly FileRecord[]> {
  // This order makes the planner use the table's index, which reads pages once; the partition index reads them at
  // random.
  const sql = `SELECT ${COLUMNS} FROM delta_files WHERE table_id = ? AND ${ACTIVE} ORDER BY file_no`
  for await (const page of reader.pages(sql, [tableId, version, version], PAGE_ROWS)) yield page.map(fileRecord)
}

/** Active files of some partitions. */
export async function* filesOfPartitions(
  reader: SqlReader,
  tableId: string,
  version: number,
  partitions: readonly number[],
): AsyncGenerator<readonly FileRecord[]> {
  for (const { some: ids, marks } of inLists(partitions, IDS_A_STATEMENT)) {
    const sql = `SELECT ${COLUMNS} FROM delta_files WHERE table_id = ? AND partition_no IN (${marks}) AND ${ACTIVE}`
    for await (const page of reader.pages(sql, [tableId, ...ids, version, version], PAGE_ROWS))
      yield page.map(fileRecord)
  }
}

/** Files by their row numbers, in no particular order. */
export async function filesByNumber(
  reader: SqlReader,
  tableId: string,
  numbers: readonly number[],
): Promise<readonly FileRecord[]> {
  const files: FileRecord[] = []
  for (const { some: ids, marks } of inLists(numbers, IDS_A_STATEMENT)) {
    const sql = `SELECT ${COLUMNS} FROM delta_files WHERE table_id = ? AND file_no IN (${marks})`
    files.push(...(await reader.all(sql, [tableId, ...ids])).map(fileRecord))
  }
  return files
}

/** Active files with these numbers, in pages; without files added after `builtVersion` (see `uncoveredFiles`). */
export async function* numberedFiles(
  reader: SqlReader,
  tableId: string,
  version: number,
  { numbers, builtVersion }: Candidates,
): AsyncGenerator<readonly FileRecord[]> {
  const upTo = Math.min(version, builtVersion)
  for (const { some: ids, marks } of inLists(numbers, IDS_A_STATEMENT)) {
    const rows = await reader.all(
      `SELECT ${COLUMNS} FROM delta_files WHERE table_id = ? AND file_no IN (${marks}) AND ${ACTIVE}`,
      [tableId, ...ids, upTo, version],
    )
    if (rows.length > 0) yield rows.map(fileRecord)
  }
}

/** Active files that the numbers do not cover, in pages. */
export async function* uncoveredFiles(
  reader: SqlReader,
  tableId: string,
  version: number,
  { builtTo, builtVersion, restFrom }: Candidates,
): AsyncGenerator<readonly FileRecord[]> {
  if (restFrom === Number.MAX_SAFE_INTEGER) return
  const sql = `SELECT ${COLUMNS} FROM delta_files WHERE table_id = ? AND file_no >= ? AND (file_no > ? OR added_version > ?) AND ${ACTIVE}
    ORDER BY file_no`
  const parameters = [tableId, restFrom, builtTo, builtVersion, version, version]
  for await (const page of reader.pages(sql, parameters, PAGE_ROWS)) yield page.map(fileRecord)
}

/** Number and bytes of the active files of some partitions. */
export async function sumOfPartitions(
  reader: SqlReader,
  tableId: string,
  version: number,
  partitions: readonly number[],
): Promise<{ readonly files: number; readonly bytes: number }> {
  const sum = { files: 0, bytes: 0 }
  for (const { some: ids, marks } of inLists(partitions, IDS_A_STATEMENT)) {
    const [row] = await reader.all(
      `SELECT count(*), coalesce(sum(size), 0) FROM delta_files
       WHERE table_id = ? AND partition_no IN (${marks}) AND ${ACTIVE}`,
      [tableId, ...ids, version, version],
    )
    const [files, bytes] = row as [number, number]
    sum.files += files
    sum.bytes += bytes
  }
  return sum
}

/** Past and present partitions of a table. Each has a number, and its values as JSON text. */
export async function catalogPartitions(
  reader: SqlReader,
  tableId: string,
): Promise<readonly { readonly no: number; readonly values: string }[]> {
  const rows = await reader.all(
    'SELECT partition_no, partition_values FROM delta_partitions WHERE table_id = ? ORDER BY partition_no',
    [tableId],
  )
  return rows.map(([no, values]) => ({ no: no as number, values: values as string }))
}

/** Files, bytes and rows of each partition at a version, largest first. */
export async function partitionTotals(
  reader: SqlReader,
  tableId: string,
  version: number,
  limit: number,
  from: number,
): Promise<
  readonly { readonly values: string; readonly files: number; readonly bytes: number; readonly rows: number | null }[]
> {
  const cardinality = dialectOf(reader).jsonText('f.deletion_vector', ['cardinality'])
  const rows = await reader.all(
    `SELECT p.partition_values, count(*), sum(f.size),
       sum(f.num_records - CASE WHEN f.deletion_vector IS NULL THEN 0 ELSE CAST(${cardinality} AS BIGINT) END),
       sum(CASE WHEN f.num_records IS NULL THEN 1 ELSE 0 END)
     FROM delta_files f JOIN delta_partitions p ON p.table_id = f.table_id AND p.partition_no = f.partition_no
     WHERE f.table_id = ? AND f.added_version <= ? AND (f.removed_version IS NULL OR f.removed_version > ?)
     GROUP BY p.partition_no, p.partition_values ORDER BY sum(f.size) DESC, p.partition_no LIMIT ? OFFSET ?`,
    [tableId, version, version, limit, from],
  )
  return rows.map((row) => {
    const [values, files, bytes, records, unknown] = row as [string, number, number, number | null, number]
    return { values, files, bytes, rows: unknown > 0 ? null : (records ?? 0) }
  })
}

/** Lifetimes of one file (path and deletion vector) in the catalog, oldest first. */
export async function fileLifetimesOf(
  reader: SqlReader,
  table: { readonly tableId: string; readonly location: string },
  path: string,
  dvId: string | null,
): Promise<readonly { readonly addedVersion: number; readonly removedVersion: number | null }[]> {
  const canonical = canonicalPath(path, table.location)
  const rows = await reader.all(
    `SELECT path, dv_id, added_version, removed_version FROM delta_files WHERE key_hash = ? AND table_id = ? ORDER BY file_no`,
    [keyHash(canonical, dvId), table.tableId],
  )
  return rows
    .filter(([stored, dv]) => dv === dvId && canonicalPath(stored as string, table.location) === canonical)
    .map(([, , added, removed]) => ({ addedVersion: added as number, removedVersion: removed as number | null }))
}

function fileRecord(row: SqlRow): FileRecord {
  const [fileNo, path, dvId, size, modificationTime, rows, addedVersion, partitionValues, deletionVector, stats] =
    row as [number, string, string | null, number, number, number | null, number, string, string | null, string | null]
  const [tags, baseRowId, defaultRowCommitVersion, clusteringProvider] = row.slice(10) as [
    string | null,
    number | null,
    number | null,
    string | null,
  ]
  return {
    fileNo,
    path,
    dvId,
    size,
    modificationTime,
    rows,
    addedVersion,
    partitionValues,
    deletionVector,
    stats,
    tags,
    baseRowId,
    defaultRowCommitVersion,
    clusteringProvider,
  }
}
