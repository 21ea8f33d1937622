/** A table and the column that its partitions would be ranges of. */
import { tableText, type Column, type TableSpec } from '../../model/copy/column-type.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { CopyStore } from '../../stores/copy-port.ts'
import type { PartitionPlanStore, PlannedTable, Years } from '../../stores/partition-plan-port.ts'
import { valueKind } from '../archiving/value-kind.ts'

export type PlanStore = Pick<CopyStore, 'tables' | 'label' | 'timeCondition'>

/**
 * Whole numbers are seconds where most of them lie in the years 1 to 9999 as such, and milliseconds otherwise.
 * @throws SluiceError BAD_FLAG for a column that is no time
 */
export async function plannedTable(
  {
    store,
    plan,
    signal,
  }: { readonly store: PlanStore; readonly plan: PartitionPlanStore; readonly signal: AbortSignal },
  table: TableSpec,
  column: Column,
  exact: boolean,
): Promise<{ readonly planned: PlannedTable; readonly years: Years }> {
  if ((store.timeCondition?.(column, null, null) ?? null) === null) {
    throw new SluiceError('BAD_FLAG', `${tableText(table.table)}.${column.name} says no time: it is ${column.native}`, {
      hint: 'name a column of dates, times or epoch numbers with --by',
    })
  }
  const planned: PlannedTable = { table, column, kind: valueKind(table, column, null) }
  const years = await plan.years(planned, exact, signal)
  if (planned.kind !== 'epoch-seconds' || years.outside.rows <= rowsOf(years)) return { planned, years }
  const finer: PlannedTable = { ...planned, kind: 'epoch-milliseconds' }
  return { planned: finer, years: await plan.years(finer, exact, signal) }
}

function rowsOf({ years }: Years): bigint {
  return [...years.values()].reduce((sum, { rows }) => sum + rows, 0n)
}
