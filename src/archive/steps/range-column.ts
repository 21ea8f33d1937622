/** The column whose ranges are the partitions of an archive, and rows outside of these ranges. */
import type { InspectedFile } from '../../model/archive/archived-file.ts'
import type { StoredColumn } from '../../model/archive/stored-column.ts'
import type { TableSpec } from '../../model/copy/column-type.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import { isByValue } from '../ledger/by-value.ts'
import type { ArchivedPartition, ArchivedTable } from '../ledger/record.ts'
import { unitsOf } from '../query/units.ts'
import type { ArchiveContext } from './context.ts'

/** Present name of the column; null for partitions by value, and if the table is not here. */
export async function rangeColumnName(
  store: CopyStore,
  table: TableSpec,
  record: Pick<ArchivedTable, 'timeColumn' | 'calendar'> | null,
  signal: AbortSignal,
): Promise<string | null> {
  if (table.columns.length === 0 || (record !== null && isByValue(record))) return null
  return record?.timeColumn ?? (await store.offers.partitions?.list(table, signal))?.by ?? null
}

/** The column in the files of a partition; null as for `rangeColumnName`. */
export async function rangeColumnOf(
  { store, table, archived, interrupt }: Pick<ArchiveContext, 'store' | 'table' | 'archived' | 'interrupt'>,
  { columns }: Pick<ArchivedPartition, 'columns'>,
): Promise<StoredColumn | null> {
  const name = await rangeColumnName(store, table, archived, interrupt.abort)
  const physical = archived.stored.columns.find((one) => one.name === name)?.physical
  return columns.find((one) => one.physical === physical) ?? null
}

/** Text about rows outside of the bounds; null if there are none, or if the bounds cannot be compared with rows. */
export function outsideText(
  { from, to }: Pick<ArchivedPartition, 'from' | 'to'>,
  { physical, stored }: StoredColumn,
  extents: InspectedFile['extents'],
): string | null {
  const { least, most } = extents[physical] ?? {}
  if (least === undefined || most === undefined) return null
  const before = comparison(least, from, stored)
  const after = comparison(most, to, stored)
  if ((before === null || before >= 0n) && (after === null || after < 0n)) return null
  return `its rows are from ${least} to ${most}`
}

function comparison(value: string, bound: string | null, stored: StoredColumn['stored']): bigint | null {
  const [one, other] = [unitsOf(value, stored), bound === null ? null : unitsOf(bound, stored)]
  return one === null || other === null ? null : one - other
}
