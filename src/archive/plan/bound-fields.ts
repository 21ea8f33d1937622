import { isByValue } from '../ledger/by-value.ts'
import type { ArchivedPartition, ArchivedTable } from '../ledger/record.ts'

type Bounds = Pick<ArchivedPartition, 'from' | 'to'>

/** Bounds of a partition as events tell them; none where it is a value, which its name says. */
export function boundFields(
  table: Pick<ArchivedTable, 'calendar'>,
  { from, to }: Bounds,
): { readonly from?: string; readonly to?: string } {
  if (isByValue(table)) return {}
  return { ...(from === null ? {} : { from }), ...(to === null ? {} : { to }) }
}
