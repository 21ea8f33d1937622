/** Partitions that programs currently work on, of all tables of a ledger. */
import type { TableName } from '../../model/copy/column-type.ts'
import type { Owner } from '../../shared/owner.ts'
import type { LedgerDatabase } from '../../model/run/ledger-port.ts'
import {
  endedOwnerId,
  storedLeaseOwner,
  LEASE_COLUMNS,
  ownerColumns,
  type StoredOwner,
} from '../../stores/common/lease/columns.ts'
import { databaseTimes, LeaseSql } from '../../stores/common/lease/sql.ts'
import { storedName } from './cells.ts'
import { PARTITION_LEASE_MS } from './partition-facts.ts'
import { ledgerColumns } from './schema.ts'
import { textOrNull } from '../../stores/common/cells.ts'

/** @property native table of the partition; null in a plain table */
export type WorkedPartition = {
  readonly table: TableName
  readonly label: string
  readonly native: TableName | null
  readonly holder: StoredOwner
}

/** Partitions under a valid lease, by the database's clock, of owners that have not ended. @param me this program */
export async function workedPartitions(database: LedgerDatabase, me: Owner): Promise<readonly WorkedPartition[]> {
  const there = await ledgerColumns(database, 'migration_archive_partitions')
  if (!there.has(LEASE_COLUMNS.owner) || !there.has(LEASE_COLUMNS.until)) return []
  const wanted = [
    'schema_name',
    'table_name',
    'partition_name',
    'native_schema',
    'native_table',
    ...ownerColumns(LEASE_COLUMNS),
  ]
  // A read-only ledger may be from an older program.
  const columns = wanted.map((name) => (there.has(name) ? name : 'NULL'))
  const { held } = new LeaseSql(LEASE_COLUMNS, databaseTimes(database.dialect, PARTITION_LEASE_MS))
  const rows = await database.all(
    `SELECT ${columns.join(', ')}
     FROM migration_archive_partitions WHERE ${held.sql} ORDER BY schema_name, table_name, partition_name`,
    held.parameters,
  )
  return rows.flatMap((row) => {
    const [schema, name, label, nativeSchema, nativeName] = row.slice(0, 5).map(textOrNull)
    const holder = storedLeaseOwner(row.slice(5))
    if (name == null || label == null || holder === null || endedOwnerId(holder, me) !== null) return []
    return [
      {
        table: storedName(schema, name),
        label,
        native: nativeName == null ? null : storedName(nativeSchema, nativeName),
        holder,
      },
    ]
  })
}
