/** Archives whose older versions have more rows than the newest: after expiry, and after rows were destroyed. */
import { DeltaTable } from '../../src/delta/table.ts'
import { duckdbParquetRows } from '../../src/stores/duckdb/parquet-rows.ts'
import { openLocalLog } from '../../src/stores/local/index.ts'
import type { System } from '../support/copy-systems.ts'
import { done, plainArchive, ROWS, TABLE, type MadeArchive } from './made-archive.ts'

const ERASED = [1002, 5003] as const
const EXPIRED = ['2019-Q1', '2019-Q3'] as const

/** Erased, expired and swept: the remaining rows are compared, and destroyed rows must be missing for every reader. */
export async function outlived(system: System, folder: string): Promise<MadeArchive> {
  const { place, root } = await plainArchive(system, folder)
  const common = { from: place.url, table: TABLE, confirm: TABLE, dryRun: false } as const
  await done({ kind: 'archive-erase', ...common, where: `id IN (${ERASED.join(', ')})`, reason: 'T-1' })
  await done({ kind: 'archive-expire', ...common, olderThan: '2y', partitions: [EXPIRED[0]], retentionMs: 0 })
  const wholeFrom = await latestOf(root)
  await done({ kind: 'archive-sweep', from: place.url, tables: [], olderThanMs: 0, dryRun: false })
  // Commits after the sweep, to which time travel is possible again: Spark takes the limit from the table's properties.
  await done({
    kind: 'archive-sweep',
    from: place.url,
    tables: [],
    olderThanMs: 0,
    retentionMs: 86_400_000,
    dryRun: false,
  })
  const hold = { kind: 'archive-hold', from: place.url, table: TABLE, partitions: ['2020-Q1'] } as const
  await done({ ...hold, reason: 'audit' })
  await done({ ...hold, reason: null })
  await done({ kind: 'archive-verify', from: place.url, tables: [], partitions: [], deep: true })
  const gone = [...ERASED, ...Array.from({ length: ROWS }, (_, n) => n)]
  return { root, partition: '2019-Q2', rows: ROWS - 1, refusals: {}, destroyed: { wholeFrom, ids: gone } }
}

/**
 * Two quarters have expired, one was restored and archived again: no file is removed yet, and every version is
 * complete.
 */
export async function expired(folder: string): Promise<MadeArchive> {
  const { place, root, run } = await plainArchive('sqlite', folder)
  const common = { from: place.url, table: TABLE, confirm: TABLE, dryRun: false } as const
  const retentionMs = 30 * 86_400_000
  await done({ kind: 'archive-expire', ...common, olderThan: '2y', partitions: EXPIRED, retentionMs })
  await done({ kind: 'restore', from: place.url, table: TABLE, partitions: [EXPIRED[1]], dryRun: false })
  await place.sql(`INSERT INTO ${TABLE} (id, at, said) VALUES (77001, '2019-08-08 00:00:00', 'late')`)
  await done({ ...run, partitions: [EXPIRED[1]] })
  // Within the retention time the sweep removes nothing.
  await done({ kind: 'archive-sweep', from: place.url, tables: [], olderThanMs: 0, dryRun: false })
  await done({ kind: 'archive-verify', from: place.url, tables: [], partitions: [], deep: true })
  return { root, partition: EXPIRED[1], rows: ROWS + 1, refusals: {} }
}

async function latestOf(root: string): Promise<number> {
  const parquet = duckdbParquetRows()
  const { latest } = await DeltaTable.open(openLocalLog(root), async () => parquet, new AbortController().signal)
  return latest
}
