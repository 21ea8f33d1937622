/** A table and its future partition column. */
import { tableText, type Column, type TableSpec } from '../model/copy/column-type.ts'
import { SluiceError } from '../shared/errors.ts'
import type { CopyStore } from '../model/copy/port.ts'
import type { PartitionPlanStore, TableToPartition, Years } from '../model/partition/plan-port.ts'
import { archivedAs } from '../archive/plan/archived-as.ts'
import type { Epoch } from '../model/calendar/calendar.ts'
import { knownTimeKind } from '../archive/plan/time-kind.ts'

export type PlanSource = {
  readonly store: CopyStore
  readonly plan: PartitionPlanStore
  readonly signal: AbortSignal
}

type PlanOptions = {
  /** Unit of integers in the time column, counted from 1970; needed if the ledger does not determine it. */
  readonly epoch?: Epoch | undefined
  readonly exact: boolean
}

/** Hint if numbers are not times. */
export const OTHER_COLUMN = 'name a column of dates or times with --by'

/** @throws SluiceError BAD_FLAG for a column that is not a time, and for numbers not known to be times */
export async function plannedTable(
  { store, plan, signal }: PlanSource,
  table: TableSpec,
  column: Column,
  { epoch, exact }: PlanOptions,
): Promise<{ readonly planned: TableToPartition; readonly years: Years }> {
  if ((store.offers.times?.condition(column, null, null) ?? null) === null) {
    throw new SluiceError(
      'BAD_FLAG',
      `${tableText(table.table)}.${column.name} is not a time column: its type is ${column.native}`,
      {
        hint: 'name a column of dates, times or epoch numbers with --by',
      },
    )
  }
  const record = epoch === undefined ? await archivedAs(store, table, column, signal) : null
  const planned = { table, column, kind: knownTimeKind(table, column, { epoch, bounds: [], record }, OTHER_COLUMN) }
  return { planned, years: await plan.years(planned, exact, signal) }
}
