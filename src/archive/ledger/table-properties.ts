/** Reads those facts from the ledger that the archive stores too, so that a lost ledger can be rebuilt. */
import type { StoredColumn, StoredTable } from '../../model/archive/stored-column.ts'
import type { TableName } from '../../model/copy/column-type.ts'
import type { LedgerDatabase } from '../../model/run/ledger-port.ts'
import { columnsName, type ArchiveProperties } from '../log/properties.ts'
import { castTexts } from './cells.ts'
import { ledgerColumns } from './schema.ts'
import { textOrNull } from '../../stores/common/cells.ts'

/** The facts of a table; null if the ledger does not have the table. */
export async function tableProperties(database: LedgerDatabase, table: TableName): Promise<ArchiveProperties | null> {
  // A read-only ledger may be from an older program.
  if (!(await ledgerColumns(database, 'migration_archive_partitions')).has('stored')) return null
  const knowsRetention = (await ledgerColumns(database, 'migration_archives')).has('retention_ms')
  const texts = (names: readonly string[]): string => castTexts(database.dialect, names)
  const ofTable = 'schema_name = ? AND table_name = ?'
  const parameters = [table.schema ?? '', table.name]
  const [archives, holds, columns] = await database.batch([
    {
      sql: `SELECT ${texts(['calendar', 'time_column', 'grace_ms', 'stored', ...(knowsRetention ? ['retention_ms'] : [])])} FROM migration_archives WHERE ${ofTable}`,
      parameters,
    },
    {
      sql: `SELECT ${texts(['partition_name', 'hold_reason'])} FROM migration_archive_partitions WHERE ${ofTable} AND hold_reason IS NOT NULL`,
      parameters,
    },
    {
      sql: `SELECT DISTINCT ${texts(['stored'])} FROM migration_archive_partitions WHERE ${ofTable} AND stored IS NOT NULL`,
      parameters,
    },
  ])
  const row = archives?.[0]
  if (row === undefined) return null
  const [calendar, timeColumn, grace, stored, retention] = row.map(textOrNull)
  const sets = (columns ?? []).map(([text]) => JSON.parse(textOrNull(text) ?? '[]') as readonly StoredColumn[])
  return {
    calendar: calendar ?? '',
    timeColumn: timeColumn ?? null,
    graceMs: Number(grace ?? 0),
    retentionMs: retention == null ? null : Number(retention),
    stored: JSON.parse(stored ?? '') as StoredTable,
    holds: new Map(
      (holds ?? []).map(([label, reason]) => [textOrNull(label) ?? '', textOrNull(reason) ?? ''] as const),
    ),
    columns: new Map(sets.map((set) => [columnsName(set), set])),
  }
}
