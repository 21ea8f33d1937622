/** Condition for the rows of a plain table's partition, in the SQL of its system. */
import type { RowTest } from '../../model/archive/row-test.ts'
import type { Column, TableSpec } from '../../model/copy/column-type.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import { isByValue } from '../ledger/by-value.ts'
import type { ArchivedPartition, ArchivedTable } from '../ledger/record.ts'

type Cutting = Pick<CopyStore, 'offers'>

/**
 * @param cut the partitioning column and the calendar, which is `value` for partitions by value
 * @returns null if the table no longer has the column, its type is not a time, or this system does not compare its
 * values exactly
 */
export function cutCondition(
  store: Cutting,
  { columns }: Pick<TableSpec, 'columns'>,
  cut: Pick<ArchivedTable, 'timeColumn' | 'calendar'>,
  { from, to }: Pick<ArchivedPartition, 'from' | 'to'>,
): string | null {
  const column = columns.find(({ name }) => name === cut.timeColumn)
  if (column === undefined) return null
  return isByValue(cut)
    ? valueCondition(store, column, from)
    : (store.offers.times?.condition(column, from, to) ?? null)
}

/** Condition for rows with exactly this value, byte by byte. @param value canonical text; null is NULL */
export function valueCondition(store: Cutting, column: Column, value: string | null): string | null {
  const test: RowTest =
    value === null ? { kind: 'null', column: column.name } : { kind: 'compare', column: column.name, op: '=', value }
  return store.offers.rowValues?.condition([column], test) ?? null
}
