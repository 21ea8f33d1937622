/** Reads from the ledger what the numbers in a column mean. */
import { isByValue } from '../ledger/by-value.ts'
import type { ArchivedTable, ArchiveRecord } from '../ledger/record.ts'
import type { Column, TableSpec } from '../../model/copy/column-type.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import { findArchive } from '../work/find-archive.ts'
import { Ledgers } from '../work/find-ledger.ts'

/** True if bounds in the ledger are ranges of this column: bounds of native partitions, or periods of the column. */
export function isCutBy(record: Pick<ArchivedTable, 'timeColumn' | 'calendar'>, column: string): boolean {
  return record.timeColumn === null || (!isByValue(record) && record.timeColumn === column)
}

/**
 * The record; null if the archive is partitioned by another column. A table with native partitions has no column in the
 * ledger; its partitions define the column.
 */
export function ofColumn(record: ArchiveRecord | null, { name }: Column): ArchiveRecord | null {
  return record === null || record.timeColumn === null || record.timeColumn === name ? record : null
}

/**
 * The ledger's record of a table, read in a separate session.
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
 * The record of an archive that this column partitions. Reads the ledger only for whole numbers: other types need no
 * record.
 * @returns null for a column of another type, and if no archive of the table is partitioned by this column
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
