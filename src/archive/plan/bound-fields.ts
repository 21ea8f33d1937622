/** Bounds of partitions, as fields of events. */
import { isByValue } from '../ledger/by-value.ts'
import type { ArchivedPartition, ArchivedTable } from '../ledger/record.ts'

type Bounds = Pick<ArchivedPartition, 'from' | 'to'>

/** Bounds of a partition for events; empty for a partition of one value, whose name is the value. */
export function boundFields(
  table: Pick<ArchivedTable, 'calendar'>,
  bounds: Bounds,
): { readonly from?: string; readonly to?: string } {
  if (isByValue(table)) return {}
  return knownBounds(bounds)
}

/** Bounds that are not open, as fields of an event. */
export function knownBounds({ from, to }: Bounds): { readonly from?: string; readonly to?: string } {
  return { ...(from === null ? {} : { from }), ...(to === null ? {} : { to }) }
}
