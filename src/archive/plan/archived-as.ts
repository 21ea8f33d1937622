/** The ledger as evidence of what numbers of a column are. */
import { isByValue } from '../ledger/by-value.ts'
import type { ArchivedTable, ArchiveRecord } from '../ledger/record.ts'
import type { Column, TableSpec } from '../../model/copy/column-type.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import { findArchive } from '../work/find-archive.ts'
import { Ledgers } from '../work/find-ledger.ts'

/** Whether its bounds are ranges of a column: those of the table's own partitions, or those of periods of that column. */
export function isCutBy(record: Pick<ArchivedTable, 'timeColumn' | 'calendar'>, column: string): boolean {
  return record.timeColumn === null || (!isByValue(record) && record.timeColumn === column)
}

/** Null where the archive is cut by another column. A table that was archived by its own partitions has no column in the ledger: they say it. */
export function ofColumn(record: ArchiveRecord | null, { name }: Column): ArchiveRecord | null {
  return record === null || record.timeColumn === null || record.timeColumn === name ? record : null
}

/** What the ledger has of a table, read on a session of its own. @throws SluiceError CONNECT_FAILED; LEDGER_NEWER; ARCHIVE_CONFLICT where two ledgers name the table */
export async function recordOf(
  store: CopyStore,
  { table }: Pick<TableSpec, 'table'>,
  signal: AbortSignal,
): Promise<ArchiveRecord | null> {
  await using ledgers = await Ledgers.open(store, false)
  return (await findArchive({ store, ledgers }, table, signal)).record
}

/**
 * Read only of whole numbers: other columns say themselves what they are.
 * @returns null of other columns, and where the table has no archive by this one
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
