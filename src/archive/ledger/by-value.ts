/** Plain tables that are cut by the values of a column instead of by periods of time: one partition a value. */
import type { ArchivedTable } from './record.ts'

/** Stands in the ledger, and in the properties of the Delta table, where other tables have their calendar. */
export const BY_VALUE = 'value'

/** Whether each partition holds the rows of one value of `timeColumn`: its lower bound as canonical text, or NULL without one. */
export function isByValue({ calendar }: Pick<ArchivedTable, 'calendar'>): boolean {
  return calendar === BY_VALUE
}
