/** Plain tables that are partitioned by the values of a column instead of periods: one partition per value. */
import type { ArchivedTable } from './record.ts'

/** Written to the ledger and the properties of the Delta table in place of a calendar. */
export const BY_VALUE = 'value'

/** True if a partition holds one value of `timeColumn`. Its lower bound is the canonical text; NULL has no bound. */
export function isByValue({ calendar }: Pick<ArchivedTable, 'calendar'>): boolean {
  return calendar === BY_VALUE
}
