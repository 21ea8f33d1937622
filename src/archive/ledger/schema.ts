/**
 * The tables of archives in the ledger, which lies in the source database: `migration_archives`, one row a table; `migration_archive_partitions`, one row
 * a partition with the state that counts; `migration_archive_history`, what happened to partitions, for people.
 */
import type { LedgerDatabase } from '../../stores/copy-port.ts'
import { makeLate } from '../../stores/late-table.ts'
import { ledgerDialect, type LedgerDialect } from '../../stores/ledger-dialect.ts'

type Kind = 'integer' | 'name' | 'text'

const ARCHIVES: Readonly<Record<string, Kind>> = {
  // Folder or URI of the Delta table, and the id in its metadata.
  archive: 'text',
  archive_id: 'name',
  // What of the source says when a row belongs; NULL where partitions are the system's own.
  time_column: 'name',
  calendar: 'text',
  stored: 'text',
  grace_ms: 'integer',
  // Counts changes of the state of any partition.
  revision: 'integer',
  tool: 'name',
  created_ms: 'integer',
}

const PARTITIONS: Readonly<Record<string, Kind>> = {
  state: 'name',
  from_bound: 'name',
  to_bound: 'name',
  native_schema: 'name',
  native_table: 'name',
  native_identity: 'name',
  num_rows: 'integer',
  checksum: 'name',
  source_bytes: 'integer',
  file_bytes: 'integer',
  // Names and proofs of the Parquet files, as JSON.
  files: 'text',
  // Begins the names of files of the attempt that runs, or ran last.
  file_prefix: 'name',
  delta_version: 'integer',
  // Of rows of a plain table that have been taken out of the source since the partition is detached.
  removed_rows: 'integer',
  removed_sum: 'name',
  // 1 while rows are being brought back.
  restoring: 'integer',
  // 1 when the files of a restored partition are no longer part of the Delta table.
  retracted: 'integer',
  hold_reason: 'text',
  fence: 'integer',
  owner: 'name',
  host: 'name',
  pid: 'integer',
  lease_until: 'integer',
  run_id: 'integer',
  read_view: 'text',
  read_at: 'name',
  error_code: 'name',
  error_message: 'text',
  planned_ms: 'integer',
  changed_ms: 'integer',
  export_ms: 'integer',
  drop_after_ms: 'integer',
}

const HISTORY: Readonly<Record<string, Kind>> = {
  num_rows: 'integer',
  checksum: 'name',
  delta_version: 'integer',
  run_id: 'integer',
  error_message: 'text',
  at_ms: 'integer',
}

/** Makes what is missing of the tables. */
export async function makeArchiveTables(database: LedgerDatabase): Promise<void> {
  const { types } = ledgerDialect(database.dialect)
  const key = `schema_name ${types.name} NOT NULL, table_name ${types.name} NOT NULL`
  const columns = (all: Readonly<Record<string, Kind>>): string => columnsOf(all, types)
  const tables = [
    `CREATE TABLE IF NOT EXISTS migration_archives (${key}, ${columns(ARCHIVES)}, PRIMARY KEY (schema_name, table_name))`,
    `CREATE TABLE IF NOT EXISTS migration_archive_partitions (${key}, partition_name ${types.name} NOT NULL, ${columns(PARTITIONS)},
       PRIMARY KEY (schema_name, table_name, partition_name))`,
    `CREATE TABLE IF NOT EXISTS migration_archive_history (${key}, partition_name ${types.name} NOT NULL, fence ${types.integer} NOT NULL,
       state ${types.name} NOT NULL, ${columns(HISTORY)})`,
  ]
  for (const sql of tables) await makeLate(database, sql)
}

/** Whether anything was ever archived out of this database. Asks and makes nothing. */
export async function hasArchives(database: LedgerDatabase): Promise<boolean> {
  const { columns } = ledgerDialect(database.dialect)
  return (await database.all(columns, ['migration_archive_partitions'])).length > 0
}

function columnsOf(all: Readonly<Record<string, Kind>>, types: LedgerDialect['types']): string {
  return Object.entries(all)
    .map(([name, kind]) => `${name} ${types[kind]}`)
    .join(', ')
}
