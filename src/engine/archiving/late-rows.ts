/** Rows of archived periods of a plain table that are not what the archive has: late, changed, or deleted. */
import type { ArchivedPartition, ArchiveRecord } from '../../archive/ledger/record.ts'
import type { Finding } from '../../archive/lifecycle/find-damage.ts'
import type { KeyDifferences, OpenArchiveQuery } from '../../model/archiving/query-port.ts'
import { isArchived } from '../../model/archiving/state.ts'
import type { TableSpec } from '../../model/copy/column-type.ts'
import type { LogStore } from '../../model/log-store.ts'
import type { CopyStore } from '../../stores/copy-port.ts'
import { openFiles } from './query/archived-part.ts'
import { hotRows } from './query/hot-part.ts'
import { queryColumns } from './query/query-columns.ts'
import { sharedPartition } from './query/shared-partitions.ts'

type Source = { readonly store: CopyStore; readonly table: TableSpec; readonly signal: AbortSignal }

/**
 * How many rows more (or, negative, fewer) the table holds of each archived period than the ledger expects, by label; periods that hold as many are
 * left out. One count for all of them, and one each only where that differs. A count does not see a row that took the place of another.
 */
export async function surplusRows(
  { store, table, signal }: Source,
  record: ArchiveRecord,
): Promise<ReadonlyMap<string, bigint>> {
  const column = table.columns.find(({ name }) => name === record.timeColumn)
  const surplus = new Map<string, bigint>()
  if (column === undefined || store.timeCondition === undefined) return surplus
  const periods = record.partitions.flatMap((partition) => {
    const condition = isExpected(partition) ? store.timeCondition?.(column, partition.from, partition.to) : null
    return condition == null ? [] : [{ label: partition.label, condition, expected: expectedRows(partition) }]
  })
  if (periods.length === 0) return surplus
  await using view = await store.source(signal)
  const counted = async (condition: string): Promise<bigint> => (await view.extent(table, condition, true)).rows
  if (store.can.conditions !== 'single') {
    const all = periods.reduce((sum, { expected }) => sum + expected, 0n)
    if ((await counted(periods.map(({ condition }) => `(${condition})`).join(' OR '))) === all) return surplus
  }
  for (const { label, condition, expected } of periods) {
    const more = (await counted(condition)) - expected
    if (more !== 0n) surplus.set(label, more)
  }
  return surplus
}

/** What a comparison by key needs besides the source. */
export type Archive = { readonly reader: LogStore; readonly open: OpenArchiveQuery }

/**
 * The rows of one archived period of a plain table, compared with its files by key and value.
 * @returns a finding for late, changed and deleted rows each; none where a column of the key is missing on a side
 */
export async function keyFindings(
  { store, table, signal }: Source,
  record: ArchiveRecord,
  partition: ArchivedPartition,
  { reader, open }: Archive,
): Promise<readonly Finding[]> {
  const columns = queryColumns(table, record.stored)
  const shared = sharedPartition(table, record, columns, partition)
  const column = table.columns.find(({ name }) => name === record.timeColumn)
  const condition =
    shared === null || column === undefined
      ? null
      : (store.timeCondition?.(column, partition.from, partition.to) ?? null)
  if (shared === null || condition === null) return []
  const both = columns.filter(({ hot, archived }) => hot && archived)
  const physical = both.map((one) => one.physical)
  await using local = await openFiles(reader, partition.files, physical, signal)
  await using query = await open({ table: table.table, columns, sql: 'SELECT 1', limit: 1, files: [], signal })
  await using view = await store.source(signal)
  const request = {
    table,
    columns: both.map(({ name, as, column: of }) => ({ name, as, column: of })),
    range: { by: 'all' as const },
    where: condition,
    ordered: false,
  }
  const rows = hotRows(view, { columns: both, request, except: [] }, async () => undefined, signal)
  await query.bring(both, rows.csv, [])
  const found = await query.compare({ within: shared.within, key: table.key, files: local.files })
  return described(partition, found)
}

function described(partition: ArchivedPartition, { late, changed, deleted }: KeyDifferences): readonly Finding[] {
  const { label } = partition
  const finding = (kind: Finding['finding'], { rows, keys }: KeyDifferences['late'], what: string): Finding[] => {
    if (rows === 0n) return []
    const named = keys.length === 0 ? '' : `: ${keys.join('; ')}${rows > BigInt(keys.length) ? ' …' : ''}`
    return [{ finding: kind, partition: label, detail: `${rows} ${rows === 1n ? 'row' : 'rows'} ${what}${named}` }]
  }
  return [
    ...finding('late rows', late, 'in the table but not in the archive'),
    ...finding('changed rows', changed, 'with other values in the archive'),
    // Once rows have begun to leave, those that are not there have gone as they should.
    ...(holdsAll(partition) ? finding('deleted rows', deleted, 'in the archive but gone from the table') : []),
  ]
}

/** Whether the table should still hold every archived row. */
function holdsAll({ state, removed, restoring }: ArchivedPartition): boolean {
  return state === 'DETACHED' && !restoring && removed.rows === 0n
}

/** Whether the ledger says how many rows of the period the table holds. */
function isExpected({ native, state, restoring, digest }: ArchivedPartition): boolean {
  return native === null && isArchived(state) && !restoring && digest !== null
}

function expectedRows({ state, digest, removed }: ArchivedPartition): bigint {
  return state === 'DROPPED' ? 0n : (digest?.rows ?? 0n) - removed.rows
}
