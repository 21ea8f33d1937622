/** Uses the ledger to find out what numbers of a column mean. */
import { isByValue } from '../ledger/by-value.ts'
import type { ArchivedTable, ArchiveRecord } from '../ledger/record.ts'
import type { Column, TableSpec } from '../../model/copy/column-type.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import { findArchive } from '../work/find-archive.ts'
import { Ledgers } from '../work/find-ledger.ts'

/** True if its bounds are ranges of this column: those of the table's own partitions, or periods of the column. */
export function isCutBy(record: Pick<ArchivedTable, 'timeColumn' | 'calendar'>, column: string): boolean {
  return record.timeColumn === null || (!isByValue(record) && record.timeColumn === column)
}

/**
 * Null if the archive is partitioned by another column. A table archived by its own partitions has no column in the
 * ledger; the partitions define it.
 */
export function ofColumn(record: ArchiveRecord | null, { name }: Column): ArchiveRecord | null {
  return record === null || record.timeColumn === null || record.timeColumn === name ? record : null
}

/**
 * The ledger's record of a table, read on its own session.
 * @throws SluiceError CONNECT_FAILED; LEDGER_NEWER; ARCHIVE_CONFLICT if two ledgers name the table
 */
export async function recordOf(
  store: CopyStore,
  { table }: Pick<TableSpec, 'table'>,
  signal: AbortSignal,
): Promise<ArchiveRecord | null> {
  await using ledgers = await Ledgers.open(store, false)
  return (await findArchive({ store, ledgers }, table, signal)).record
}

/**
 * Reads the ledger only for whole numbers: other types are clear.
 * @returns null for other columns, and if the table has no archive by this one
 * @throws SluiceError as recordOf
 */
export async function archivedAs(
  store: CopyStore,
  { table }: Pick<TableSpec, 'table'>,
  column: Column,
  signal: AbortSignal,
): Promise<ArchiveRecord | null> {
  if (column.type.kind !== 'int') return null
  const record = await recordOf(store, { table }, signal)
  return record?.timeColumn === column.name ? record : null
}
