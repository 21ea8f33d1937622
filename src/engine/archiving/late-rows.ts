/** Rows of archived periods of a plain table that are not what the archive has: late, changed, or deleted. */
import type { ArchivedPartition, ArchiveRecord } from '../../archive/ledger/record.ts'
import type { Finding } from '../../archive/lifecycle/find-damage.ts'
import type { KeyDifferences, OpenArchiveQuery } from '../../model/archiving/query-port.ts'
import type { LogStore } from '../../model/log-store.ts'
import type { Source } from './period-rows.ts'
import { openFiles } from './query/archived-part.ts'
import { hotRows } from './query/hot-part.ts'
import { queryColumns } from './query/query-columns.ts'
import { sharedPartition } from './query/shared-partitions.ts'

/** What a comparison by key needs besides the source. */
export type Archive = { readonly reader: LogStore; readonly open: OpenArchiveQuery }

/**
 * The rows of one archived period of a plain table, compared with its files by key.
 * @param values whether values are compared, too
 * @returns a finding for late, changed and deleted rows each; null where rows cannot be told by key, because a column of it is missing on a side
 */
export async function keyFindings(
  { store, table, signal }: Source,
  record: ArchiveRecord,
  partition: ArchivedPartition,
  { reader, open }: Archive,
  values: boolean,
): Promise<readonly Finding[] | null> {
  const columns = queryColumns(table, record.stored)
  const shared = sharedPartition(table, record, columns, partition)
  const column = table.columns.find(({ name }) => name === record.timeColumn)
  const condition =
    shared === null || column === undefined
      ? null
      : (store.timeCondition?.(column, partition.from, partition.to) ?? null)
  if (shared === null || condition === null) return null
  const wanted = (name: string): boolean => values || table.key.includes(name) || name === record.timeColumn
  const both = columns.filter(({ hot, archived, name }) => hot && archived && wanted(name))
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
