/** Rows of the default partition: those of periods that are missing, and all others. */
import type { MaintenanceStore } from '../../stores/maintenance-port.ts'
import type { Run } from '../run-context.ts'
import type { AlarmOptions } from './alarms.ts'
import { comingPeriods } from './coverage.ts'
import type { FoundTable } from './each-table.ts'

/** @returns null for a table without a default partition, or without a calendar */
export async function strayOf(
  { standing: { table, placed, kind, calendar } }: Pick<FoundTable, 'standing'>,
  { now, ahead }: { readonly now: Date; readonly ahead: number },
  maintenance: MaintenanceStore,
  run: Run,
): Promise<AlarmOptions['stray']> {
  if (calendar === null || !table.partitions.some(({ isDefault }) => isDefault)) return null
  const { missing } = comingPeriods(placed, calendar.spec, kind, { now, ahead })
  const { spans, others } = await maintenance.stray(table, missing, run.interrupt.abort)
  return { missing: spans, others }
}
