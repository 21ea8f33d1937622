/** The Files tab: a page of the active files that match a condition, and the number of files that each step leaves. */
import { countsAt } from '../../../catalog/query/counts.ts'
import { ACTIVE, filesByNumber, type FileRecord } from '../../../catalog/query/files.ts'
import { prunedFiles, pruningAt, totalsByPartition } from '../../../catalog/query/pruned.ts'
import type { Pruning } from '../../../delta/pruning.ts'
import { statsRange } from '../../../delta/stats.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import type { SqlReader } from '../../../model/run/sql-port.ts'
import { fileEvent } from '../operations/files/perform.ts'
import type { FileSort, FilesPage, Funnel } from '../../../model/lake/answers.ts'
import { readVersion } from '../table-source.ts'
import type { Located } from './located.ts'

export type FilesQuery = {
  readonly where: string
  readonly sort: FileSort
  readonly descending: boolean
  readonly from: number
  readonly count: number
}

type InCatalog = Extract<Located, { from: 'catalog' }>
type Row = FilesPage['rows'][number]

const ORDER: Readonly<Record<FileSort, string>> = {
  path: 'path',
  size: 'size',
  rows: 'num_records',
  added: 'added_version',
}

/** Result of a query: row numbers in sort order, and file counts per step. Kept for the next page of the query. */
type Selection = {
  readonly key: string
  readonly numbers: Float64Array
  readonly funnel: Funnel
  readonly pruning: Pruning
}

export class FilePages {
  #last: Selection | null = null

  /** @throws SluiceError HISTORY_MISSING if a prune has removed the version meanwhile */
  page(located: InCatalog, query: FilesQuery, signal: AbortSignal): Promise<FilesPage> {
    // One snapshot of the catalog for all statements: an import may merge partitions between two of them.
    return readVersion(located, (reader) => this.#page(reader, located, query, signal))
  }

  async #page(
    reader: SqlReader,
    { table, importId }: InCatalog,
    query: FilesQuery,
    signal: AbortSignal,
  ): Promise<FilesPage> {
    const { tableId, version } = table
    const counts = await countsAt(reader, tableId, version)
    const { commitTime } = counts
    const all = { files: counts.files, bytes: counts.bytes }
    if (query.where.trim() === '') {
      const begun = performance.now()
      const direction = query.descending ? 'DESC' : 'ASC'
      const numbers = await reader.all(
        `SELECT file_no FROM delta_files WHERE table_id = ? AND ${ACTIVE} ORDER BY ${ORDER[query.sort]} ${direction}, file_no ${direction} LIMIT ? OFFSET ?`,
        [tableId, version, version, query.count, query.from],
      )
      const rows = await rowsOf(
        reader,
        tableId,
        numbers.map(([no]) => no as number),
        null,
      )
      const none = { ...all, columns: [] }
      const funnel = { all, partition: none, stats: none, keptWithoutStats: 0, ms: performance.now() - begun }
      return { rows, total: counts.files, from: query.from, version, commitTime, funnel }
    }
    const key = JSON.stringify([tableId, importId, version, query.where, query.sort, query.descending])
    if (this.#last?.key !== key) this.#last = await select(reader, table, query, { key, all, signal })
    const { numbers, funnel, pruning } = this.#last
    const wanted = [...numbers.subarray(query.from, query.from + query.count)]
    const rows = await rowsOf(reader, tableId, wanted, pruning)
    return { rows, total: numbers.length, from: query.from, version, commitTime, funnel }
  }
}

async function rowsOf(
  reader: SqlReader,
  tableId: string,
  numbers: readonly number[],
  pruning: Pruning | null,
): Promise<readonly Row[]> {
  const column = pruning?.dataColumns[0]
  const records = new Map((await filesByNumber(reader, tableId, numbers)).map((file) => [file.fileNo, file]))
  return numbers.flatMap((no) => {
    const file = records.get(no)
    if (file === undefined) return []
    if (column === undefined) return [fileEvent(file)]
    const { min, max } = statsRange(file.stats, column.physicalPath)
    return [
      { ...fileEvent(file), range: { ...(min === undefined ? {} : { min }), ...(max === undefined ? {} : { max }) } },
    ]
  })
}

async function select(
  reader: SqlReader,
  { tableId, version }: InCatalog['table'],
  query: FilesQuery,
  { key, all, signal }: { readonly key: string; readonly all: Funnel['all']; readonly signal: AbortSignal },
): Promise<Selection> {
  const begun = performance.now()
  const pruning = await pruningAt(reader, tableId, version, query.where)
  const partition = {
    ...sizeOf(await totalsByPartition(reader, tableId, version, pruning)),
    columns: pruning.partitionColumns.map(({ path }) => path.join('.')),
  }
  const stats = { files: 0, bytes: 0, columns: pruning.dataColumns.map(({ path }) => path.join('.')) }
  let keptWithoutStats = 0
  const kept: { no: number; key: string | number }[] = []
  for await (const page of prunedFiles(reader, tableId, version, pruning)) {
    throwIfAborted(signal)
    for (const file of page) {
      stats.files++
      stats.bytes += file.size
      if (lacksStats(file.stats, pruning)) keptWithoutStats++
      kept.push({ no: file.fileNo, key: sortKey(file, query.sort) })
    }
  }
  kept.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : a.no - b.no))
  if (query.descending) kept.reverse()
  return {
    key,
    pruning,
    numbers: Float64Array.from(kept, ({ no }) => no),
    funnel: { all, partition, stats, keptWithoutStats, ms: performance.now() - begun },
  }
}

function sizeOf({ files, bytes }: { readonly files: number; readonly bytes: number }): Funnel['all'] {
  return { files, bytes }
}

/** True if a file lacks min and max of a column of the condition. */
export function lacksStats(stats: string | null | undefined, pruning: Pruning): boolean {
  return pruning.dataColumns.some(({ physicalPath }) => {
    const { min, max } = statsRange(stats, physicalPath)
    return min === undefined && max === undefined
  })
}

function sortKey(file: FileRecord, sort: FileSort): string | number {
  switch (sort) {
    case 'path':
      return file.path
    case 'size':
      return file.size
    case 'rows':
      return file.rows ?? -1
    case 'added':
      return file.addedVersion
  }
}
