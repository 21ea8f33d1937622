/** The Files and Partitions tabs of a table outside of the catalog, read from its log into memory up to a limit. */
import { compilePruning } from '../../../delta/pruning.ts'
import { schemaOf } from '../../../delta/schema.ts'
import { numRecordsOf, statsRange } from '../../../delta/stats.ts'
import type { AddAction } from '../../../delta/actions.ts'
import type { Snapshot } from '../../../delta/snapshot.ts'
import { parsePredicate } from '../../../model/lake/predicate.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { eventOfAdd } from '../operations/files/perform.ts'
import type { AsOf } from '../../../model/lake/as-of.ts'
import type { FilesPage, Page, PartitionRow } from '../../../model/lake/answers.ts'
import { lacksStats, type FilesQuery } from './files-page.ts'
import type { Located } from './located.ts'
import { snapshotAt } from '../table-source.ts'

type InLog = Extract<Located, { from: 'log' }>

/** Maximum number of files in memory for one page. */
const MAX_FILES = 200_000

export async function filesFromLog(
  located: InLog,
  asOf: AsOf,
  query: FilesQuery,
  signal: AbortSignal,
): Promise<FilesPage> {
  const begun = performance.now()
  const snapshot = await snapshotAt(located.table, asOf)
  const { protocol, metadata } = await snapshot.head(signal)
  const where = query.where.trim()
  const pruning =
    where === '' ? null : compilePruning(parsePredicate(where), schemaOf(protocol, metadata), metadata.partitionColumns)
  const all = { files: 0, bytes: 0 }
  const partition = { files: 0, bytes: 0, columns: pruning?.partitionColumns.map(({ path }) => path.join('.')) ?? [] }
  const stats = { files: 0, bytes: 0, columns: pruning?.dataColumns.map(({ path }) => path.join('.')) ?? [] }
  const column = pruning?.dataColumns[0]
  let keptWithoutStats = 0
  const kept: { add: AddAction; addedVersion: number | null }[] = []
  for await (const { add, addedVersion } of filesOf(snapshot, signal)) {
    all.files++
    all.bytes += add.size
    if (pruning !== null && !pruning.byPartition(add.partitionValues)) continue
    partition.files++
    partition.bytes += add.size
    if (pruning !== null && !pruning.byFile(add.partitionValues, add.stats)) continue
    stats.files++
    stats.bytes += add.size
    if (pruning !== null && lacksStats(add.stats, pruning)) keptWithoutStats++
    kept.push({ add, addedVersion })
  }
  const keyOf = ({ add, addedVersion }: (typeof kept)[number]): string | number =>
    query.sort === 'path'
      ? add.path
      : query.sort === 'size'
        ? add.size
        : query.sort === 'rows'
          ? (numRecordsOf(add.stats) ?? -1)
          : (addedVersion ?? -1)
  kept.sort((a, b) => {
    const [x, y] = [keyOf(a), keyOf(b)]
    return (x < y ? -1 : x > y ? 1 : 0) * (query.descending ? -1 : 1)
  })
  const rows = kept.slice(query.from, query.from + query.count).map(({ add, addedVersion }) => {
    const event = eventOfAdd(add, addedVersion)
    if (column === undefined) return event
    const { min, max } = statsRange(add.stats, column.physicalPath)
    return { ...event, range: { ...(min === undefined ? {} : { min }), ...(max === undefined ? {} : { max }) } }
  })
  const ms = performance.now() - begun
  return {
    rows,
    total: kept.length,
    from: query.from,
    version: snapshot.version,
    commitTime: null,
    funnel: { all, partition, stats, keptWithoutStats, ms },
  }
}

export async function partitionsFromLog(
  located: InLog,
  asOf: AsOf,
  from: number,
  count: number,
  signal: AbortSignal,
): Promise<Page<PartitionRow>> {
  const groups = new Map<string, { files: number; bytes: number; rows: number | null }>()
  for await (const { add } of filesOf(await snapshotAt(located.table, asOf), signal)) {
    const key = JSON.stringify(add.partitionValues ?? {})
    const group = groups.get(key) ?? { files: 0, bytes: 0, rows: 0 }
    const records = numRecordsOf(add.stats)
    group.files++
    group.bytes += add.size
    group.rows =
      records === null || group.rows === null ? null : group.rows + records - (add.deletionVector?.cardinality ?? 0)
    groups.set(key, group)
  }
  const rows = [...groups].map(([values, group]) => ({
    values: JSON.parse(values) as Record<string, string | null>,
    ...group,
  }))
  rows.sort((a, b) => b.bytes - a.bytes)
  return { rows: rows.slice(from, from + count), total: rows.length, from }
}

async function* filesOf(
  snapshot: Snapshot,
  signal: AbortSignal,
): AsyncGenerator<{ add: AddAction; addedVersion: number | null }> {
  let seen = 0
  for await (const block of snapshot.files({ signal })) {
    seen += block.length
    if (seen > MAX_FILES) {
      throw new SluiceError(
        'NOT_IMPORTED',
        `the table has more than ${MAX_FILES} files: import the table to list them`,
        {
          hint: 'press i on the table, or run: sluice import TABLE',
        },
      )
    }
    yield* block
  }
}
