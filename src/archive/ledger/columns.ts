/**
 * Columns and indexes of the archive's tables in the ledger. A new column is added here, with a new ARCHIVE_LEDGER_VERSION: ledgers of an older version get it, empty.
 */

/** `name`: a short text that can be part of a key. */
export type ColumnKind = 'integer' | 'name' | 'text'
export type Columns = Readonly<Record<string, ColumnKind>>

/** Key and columns of one table; `key` is NOT NULL, and the primary key where `unique` says so. */
export type LedgerTable = { readonly key: Columns; readonly unique: boolean; readonly columns: Columns }

const OF_TABLE: Columns = { schema_name: 'name', table_name: 'name' }
const OF_PARTITION: Columns = { ...OF_TABLE, partition_name: 'name' }

const ARCHIVES: Columns = {
  // Folder or URI of the Delta table, and the id in its metadata.
  archive: 'text',
  archive_id: 'name',
  // What of the source says where a row belongs; NULL where partitions are the system's own.
  time_column: 'name',
  // `value` where each value of that column is a partition.
  calendar: 'text',
  stored: 'text',
  grace_ms: 'integer',
  // Counts changes of the state of any partition.
  revision: 'integer',
  tool: 'name',
  created_ms: 'integer',
  // Identity of the database that may write into the archive, as JSON; NULL where an older program made the ledger.
  origin: 'text',
  // How long files that the newest version does not name are kept; NULL as long as nobody has said so.
  retention_ms: 'integer',
  // What this ledger is called in the archive's log, and the database that it was named for, as JSON; NULL until a program of version 11 or later changes the archive.
  ledger: 'text',
  // What the table is known by under another name, as JSON (`Witness`); NULL where it has a number, or no key, and where an older program archived it. Since version 11.
  witness: 'text',
}

const PARTITIONS: Columns = {
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
  // Paths that the Delta log may name for the partition, as JSON; NULL where an older program made the ledger.
  logged_files: 'text',
  // What a native partition has beyond what its parent gives it, in the form of its store; NULL where an older program took it out.
  own_ddl: 'text',
  // 1 while the table of a native partition stands outside of its parent and its rows still count.
  away: 'integer',
  // 1 from before DETACH PARTITION CONCURRENTLY until its table stands outside, or the detach was given up: the catalogs say how far it is.
  leaving: 'integer',
  // What tells the process of the owner from all others, see `shared/owner`; NULL where an older program took the partition.
  machine: 'name',
  process_started: 'name',
  // Columns of the files and of the sum, as JSON; NULL where an older program exported it: then those of the archive.
  stored: 'text',
  // When it left the archive for good, and who said so; NULL where it has not, or came back.
  expired_ms: 'integer',
  expired_by: 'name',
  // Since when its files are being destroyed: it cannot come back from then on.
  swept_ms: 'integer',
  // Of a further part of a period: the name of its first part, and its number from 2 on; NULL for the first part.
  period: 'name',
  part: 'integer',
  // Of a table partitioned by whole numbers: the kind of time that they are, or `name` where they are none and the partition was named; NULL otherwise, and where an older program took it.
  chosen_by: 'name',
}

const HISTORY: Columns = {
  num_rows: 'integer',
  checksum: 'name',
  delta_version: 'integer',
  run_id: 'integer',
  error_message: 'text',
  at_ms: 'integer',
}

const HEADS: Columns = {
  // The commit that carries the head.
  delta_version: 'integer',
  // `intended` before its commit is put, `left` once the log is known to have it.
  state: 'name',
  run_id: 'integer',
  at_ms: 'integer',
}

const COMMITS: Columns = {
  // Of the bytes of the commit.
  sha256: 'name',
  // `intended` before the commit is put, `landed` once the log is known to have it.
  state: 'name',
}

/** Of a row that one program works on at a time, see `leased-row`. */
const LEASED: Columns = {
  owner: 'name',
  host: 'name',
  pid: 'integer',
  machine: 'name',
  process_started: 'name',
  lease_until: 'integer',
}

const ERASURES: Columns = {
  // `erasing`, `destroying` (what is in `destroyed` goes), `done`.
  state: 'name',
  // A ticket, in the words of whoever asked: nothing else of the person is kept.
  reason: 'text',
  // Names of the columns that the condition looks at, as JSON.
  tested: 'text',
  signed_by: 'name',
  tool: 'name',
  // Tells a condition from another one as long as the erasure has not ended: a slow hash with its salt. NULL afterwards.
  condition_hash: 'text',
  ...LEASED,
  // The Delta version before which there is no history any more.
  delta_version: 'integer',
  // Names, bytes and sha256 of files that are destroyed, as JSON.
  destroyed: 'text',
  begun_ms: 'integer',
  ended_ms: 'integer',
}

const ERASED: Columns = {
  // Rows that went out of Parquet files, and out of the database.
  archived_rows: 'integer',
  source_rows: 'integer',
  // Of what is left in the files.
  left_rows: 'integer',
  checksum: 'name',
  delta_version: 'integer',
  // Of the claim, or the run, that noted it.
  fence: 'integer',
  at_ms: 'integer',
}

const SWEEPS: Columns = {
  // `destroying` (what is in `files` goes), `done`.
  state: 'name',
  signed_by: 'name',
  tool: 'name',
  ...LEASED,
  retention_ms: 'integer',
  // The Delta version before which versions have lost files.
  delta_version: 'integer',
  // Partition, name, bytes and sha256 of each, as JSON.
  files: 'text',
  begun_ms: 'integer',
  ended_ms: 'integer',
}

export const TABLES: Readonly<Record<string, LedgerTable>> = {
  migration_archives: { key: OF_TABLE, unique: true, columns: ARCHIVES },
  migration_archive_partitions: { key: OF_PARTITION, unique: true, columns: PARTITIONS },
  migration_archive_history: {
    key: { ...OF_PARTITION, fence: 'integer', state: 'name' },
    unique: false,
    columns: HISTORY,
  },
  migration_archive_erasures: { key: { ...OF_TABLE, erasure_id: 'integer' }, unique: true, columns: ERASURES },
  // `place`: the partition, or `table/` and the number of the run for rows that no partition has.
  migration_archive_erased: {
    key: { ...OF_TABLE, erasure_id: 'integer', place: 'name' },
    unique: true,
    columns: ERASED,
  },
  migration_archive_sweeps: { key: { ...OF_TABLE, sweep_id: 'integer' }, unique: true, columns: SWEEPS },
  migration_archive_heads: { key: { ...OF_TABLE, head: 'integer' }, unique: true, columns: HEADS },
  // Since version 10. Two programs may intend one version: its head says which of them landed.
  migration_archive_commits: {
    key: { ...OF_TABLE, delta_version: 'integer', head: 'integer' },
    unique: true,
    columns: COMMITS,
  },
}

/** Parts of a period, and partitions in a state, are asked for with each partition that advances. Since version 7. */
export const INDEXES: Readonly<Record<string, { readonly table: string; readonly columns: string }>> = {
  migration_archive_partitions_by_period: {
    table: 'migration_archive_partitions',
    columns: 'schema_name, table_name, period',
  },
  migration_archive_partitions_by_state: {
    table: 'migration_archive_partitions',
    columns: 'schema_name, table_name, state',
  },
}
