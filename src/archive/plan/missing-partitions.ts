/**
 * Finds published native partitions that were detached or dropped by hand. According to the ledger, their rows are
 * still in the table, so queries do not read them from the archive. Reads only the system catalogs.
 */
import { isOtherDatabase } from '../ledger/other-database.ts'
import type { ArchivedPartition, ArchiveRecord } from '../ledger/record.ts'
import { missingTableError } from '../steps/refusals.ts'
import { tableText, type TableSpec } from '../../model/copy/column-type.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import { nullOn, type SluiceError } from '../../shared/errors.ts'
import { isInTable, NativeParts, type MissingPartition } from './native-parts.ts'
import { nativesFor } from './plan.ts'
import { nativeKind } from './time-kind.ts'

export const NO_PARTITION = 'its table is no longer a partition, and the archive may have the only copy of its rows'

/** The missing partitions of a table; none if the table itself is missing. */
export async function missingPartitions(
  store: CopyStore,
  table: TableSpec,
  record: ArchiveRecord | null,
  signal: AbortSignal,
): Promise<readonly MissingPartition[]> {
  const counting = (record?.partitions ?? []).filter(isInTable)
  if (record === null || counting.length === 0 || table.columns.length === 0) return []
  const natives = await nativesFor(store, table, record, signal).catch(nullOn('UNSUPPORTED_TYPE'))
  // If the table is now partitioned in another way, any of its partitions may have the rows of a missing one.
  if (natives === null) return counting.map((partition) => ({ partition, isReplaced: true }))
  const kind = nativeKind(table, natives, record) ?? 'epoch-seconds'
  const isNumbered = !isOtherDatabase(record.origin, (await store.offers.identification?.origin(signal)) ?? {})
  return new NativeParts(counting, natives.partitions).missing(natives.partitions, kind, isNumbered)
}

/** Error with which a run refuses a missing partition. */
export function missingError({ table }: Pick<TableSpec, 'table'>, { partition }: MissingPartition): SluiceError {
  return missingTableError(tableText(table), partition)
}

/** Text about a missing partition for a finding of `archive verify`. */
export function missingDetail({ isReplaced }: MissingPartition): string {
  return isReplaced ? `${NO_PARTITION}; the partitions between its bounds were not compared` : NO_PARTITION
}

/** Message of a query: the answer omits the archived rows, because other partitions now have their bounds. */
export function replacedText({ label }: Pick<ArchivedPartition, 'label'>): string {
  return `${label}: ${NO_PARTITION}; queries leave the archived rows out, and use the rows that are between its bounds now`
}
