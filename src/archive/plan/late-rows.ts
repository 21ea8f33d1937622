/** Compares rows of archived periods of a plain table with the archive: late, changed and deleted rows. */
import { isInSource, otherParts } from '../ledger/parts.ts'
import type { ArchivedPartition, ArchiveRecord } from '../ledger/record.ts'
import type { ArchiveContext } from '../steps/context.ts'
import { cutCondition } from '../steps/cut-condition.ts'
import type { ArchiveFinding } from '../steps/find-damage.ts'
import type { FindLate } from '../steps/rows-now.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { SluiceError } from '../../shared/errors.ts'
import { openArchiveQuery } from '../../stores/parquet.ts'
import { columnIn, type KeyDifferences, type QueryColumn } from '../../model/archive/query-port.ts'
import type { LogStore } from '../../model/lake/log-store.ts'
import type { PeriodSource } from './period-rows.ts'
import { openFiles, placedFiles } from '../query/archived-part.ts'
import { hotRows } from '../query/hot-part.ts'
import { queryColumns } from '../query/query-columns.ts'
import { sharedPartition } from '../query/shared-partitions.ts'
import { countText } from '../../shared/figures.ts'
import { keysText } from '../steps/named-rows.ts'

/**
 * Compares the rows of one archived period of a plain table with its files, by key.
 * @param values true: compare the values of rows, too
 * @param neighbours other parts of the period whose rows are read from the archive
 * @returns one finding each for late, changed and deleted rows; null if table or files lack a key column, or the table
 * has no usable condition for the period
 */
export async function keyFindings(
  source: PeriodSource,
  record: ArchiveRecord,
  partition: ArchivedPartition,
  reader: LogStore,
  values: boolean,
  neighbours: readonly ArchivedPartition[] = [],
): Promise<readonly ArchiveFinding[] | null> {
  const { store, table } = source
  const shared = sharedPartition(table, record, queryColumns(table, record.stored), partition)
  const condition = shared === null ? null : cutCondition(store, table, record, partition)
  if (shared === null || condition === null) return null
  const parts = [partition, ...neighbours]
  const found = await keyDifferences(source, record, parts, reader, { values, where: condition })
  if (found === null || neighbours.length === 0 || !isFullyInTable(partition))
    return found === null ? null : described(partition, found)
  // Rows of the other parts were removed from the table, so only this part's rows can be missing.
  const own = await keyDifferences(source, record, [partition], reader, { values: false, where: condition })
  return own === null ? null : described(partition, { ...found, deleted: own.deleted })
}

/**
 * Compares rows of a table with the files of partitions, by key.
 * @param options `where`: a condition in the SQL of the store; null for all rows
 * @returns null if table or files lack a key column
 */
export async function keyDifferences(
  { store, table, signal }: PeriodSource,
  record: Pick<ArchiveRecord, 'stored' | 'timeColumn'>,
  partitions: readonly Pick<ArchivedPartition, 'files' | 'columns'>[],
  reader: LogStore,
  { values, where }: { readonly values: boolean; readonly where: string | null },
): Promise<KeyDifferences | null> {
  const columns = queryColumns(table, record.stored)
  const wanted = (name: string): boolean => values || table.key.includes(name) || name === record.timeColumn
  // The archived text of a value with an earlier column type may differ from its text in the table. Of columns with an
  // earlier type, compare only key columns.
  const has = (column: QueryColumn): boolean =>
    partitions.every((partition) => {
      const found = columnIn(partition.columns, column)
      return found !== undefined && (found.physical === column.physical || table.key.includes(column.name))
    })
  const both = columns.filter((column) => column.hot && column.archived && has(column) && wanted(column.name))
  if (table.key.length === 0 || !table.key.every((name) => both.some((one) => one.name === name))) return null
  const physical = both.flatMap((one) => [one.physical, ...(one.earlier ?? [])])
  await using local = await openFiles(reader, partitions.flatMap(placedFiles), physical, signal)
  await using query = await openArchiveQuery({
    table: table.table,
    columns,
    sql: 'SELECT 1',
    limit: 1,
    files: [],
    strict: true,
    signal,
  })
  await using view = await store.source(signal)
  const request = {
    table,
    columns: both.map(({ name, as, column: of }) => ({ name, as, column: of })),
    range: { by: 'all' as const },
    where,
    ordered: false,
  }
  const rows = hotRows(view, { columns: both, request, except: [] }, async () => undefined, signal)
  await query.addRows(both, rows.csv, [])
  return await query.compare({ within: null, key: table.key, files: local.files })
}

function described(
  partition: ArchivedPartition,
  { late, changed, deleted }: KeyDifferences,
): readonly ArchiveFinding[] {
  const { label } = partition
  const finding = (
    kind: ArchiveFinding['finding'],
    { rows, keys }: KeyDifferences['late'],
    what: string,
  ): ArchiveFinding[] => {
    if (rows === 0n) return []
    const named = keys.length === 0 ? '' : `: ${keysText(rows, keys)}`
    return [{ finding: kind, partition: label, detail: `${countText(rows, 'row')} ${what}${named}` }]
  }
  return [
    ...finding('late rows', late, 'in the table but not in the archive'),
    ...finding('changed rows', changed, 'with other values in the archive'),
    // Once the removal of rows has begun, missing rows are expected.
    ...(isFullyInTable(partition) ? finding('deleted rows', deleted, 'in the archive but gone from the table') : []),
  ]
}

/** True if all archived rows should still be in the table. */
function isFullyInTable({ state, removed, restoring }: ArchivedPartition): boolean {
  return state === 'DETACHED' && !restoring && removed.rows === 0n
}

/**
 * Finds rows whose key is not in the archive, among the rows of a table that a condition selects.
 * @param parts parts of a period, from the current ledger
 */
export function lateRows(
  { reader, store, interrupt }: ArchiveContext,
  record: Pick<ArchiveRecord, 'stored' | 'timeColumn'>,
  parts: (of: Pick<ArchivedPartition, 'period'>) => Promise<readonly ArchivedPartition[]> = async () => [],
): FindLate {
  return async (partition, { table, where, isOwn }) => {
    // A detached table has the columns from before the detach.
    const stored = isOwn === true ? { ...record.stored, columns: partition.columns } : record.stored
    const signal = interrupt.abort
    try {
      const found = await keyDifferences({ store, table, signal }, { ...record, stored }, [partition], reader, {
        values: false,
        where,
      })
      if (found === null) return null
      const back = isOwn === true ? [] : otherParts(partition, await parts(partition)).filter(isInSource)
      return back.length === 0 ? found.late : { ...found.late, back: back.map(({ label }) => label) }
    } catch (thrown) {
      throwIfAborted(signal)
      // A row has a value that no archive can store: the caller then counts late rows without naming their keys.
      if (thrown instanceof SluiceError && thrown.code === 'VALUE_REFUSED') return null
      throw thrown
    }
  }
}
