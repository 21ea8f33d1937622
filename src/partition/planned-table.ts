/** A table and the column that its partitions would be ranges of. */
import { tableText, type Column, type TableSpec } from '../model/copy/column-type.ts'
import { SluiceError } from '../shared/errors.ts'
import type { CopyStore } from '../model/copy/port.ts'
import type { PartitionPlanStore, PlannedTable, Years } from '../model/partition/plan-port.ts'
import { archivedAs } from '../archive/plan/archived-as.ts'
import type { Epoch } from '../model/calendar/calendar.ts'
import { knownTimeKind } from '../archive/plan/time-kind.ts'

export type PlanSource = {
  readonly store: CopyStore
  readonly plan: PartitionPlanStore
  readonly signal: AbortSignal
}

type PlanWish = {
  /** What whole numbers count since 1970, where the ledger does not say it. */
  readonly epoch?: Epoch | undefined
  readonly exact: boolean
}

/** What else numbers may do that are no times. */
export const OTHER_COLUMN = 'name a column of dates or times with --by'

/** @throws SluiceError BAD_FLAG for a column that is no time, and for numbers that nothing says are times */
export async function plannedTable(
  { store, plan, signal }: PlanSource,
  table: TableSpec,
  column: Column,
  { epoch, exact }: PlanWish,
): Promise<{ readonly planned: PlannedTable; readonly years: Years }> {
  if ((store.timeCondition?.(column, null, null) ?? null) === null) {
    throw new SluiceError('BAD_FLAG', `${tableText(table.table)}.${column.name} says no time: it is ${column.native}`, {
      hint: 'name a column of dates, times or epoch numbers with --by',
    })
  }
  const record = epoch === undefined ? await archivedAs(store, table, column, signal) : null
  const planned = { table, column, kind: knownTimeKind(table, column, { epoch, bounds: [], record }, OTHER_COLUMN) }
  return { planned, years: await plan.years(planned, exact, signal) }
}
