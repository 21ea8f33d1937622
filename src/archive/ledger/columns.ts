/**
 * Columns and indexes of the archive's ledger tables. Add a new column here together with a new ARCHIVE_LEDGER_VERSION:
 * older ledgers get it, filled with NULL.
 */

/** `name`: a short text that can be part of a key. */
export type ArchiveColumnKind = 'integer' | 'name' | 'text'
export type ArchiveColumns = Readonly<Record<string, ArchiveColumnKind>>

/**
 * Key and columns of one table. Each has a primary key: some servers refuse tables, or changes of rows, without one.
 */
export type LedgerTable = { readonly key: ArchiveColumns; readonly columns: ArchiveColumns }

export const TABLE_COLUMNS: ArchiveColumns = { schema_name: 'name', table_name: 'name' }
const OF_PARTITION: ArchiveColumns = { ...TABLE_COLUMNS, partition_name: 'name' }

export const ARCHIVE_COLUMNS: ArchiveColumns = {
  // Folder or URI of the Delta table, and the id in its metadata.
  archive: 'text',
  archive_id: 'name',
  // Column of the source that decides the partition of a row; NULL if partitions are the system's own.
  time_column: 'name',
  // A calendar; `value` if each value of that column is a partition.
  calendar: 'text',
  stored: 'text',
  grace_ms: 'integer',
  // Counts state changes of all partitions.
  revision: 'integer',
  tool: 'name',
  created_ms: 'integer',
  // Identity of the database that may write into the archive, as JSON; NULL in a ledger made by an older program.
  origin: 'text',
  // Retention of files that the newest version does not name; NULL until it is set.
  retention_ms: 'integer',
  // Name of this ledger in the archive's log, and the database for which it was named, as JSON. NULL until a program of
  // version 11 or later changes the archive.
  ledger: 'text',
  // Identifies the table after a rename, as JSON (`TableWitness`). NULL for a table that has an identity or no key, and
  // if an older program archived it. Since version 11.
  witness: 'text',
}

export const PARTITION_COLUMNS: ArchiveColumns = {
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
  // Prefix of the file names of the current or latest attempt.
  file_prefix: 'name',
  delta_version: 'integer',
  // Rows of a plain table that were deleted from the source since the partition was detached.
  removed_rows: 'integer',
  removed_sum: 'name',
  // 1 while a restore is writing rows.
  restoring: 'integer',
  // 1 if the files of a restored or expired partition are no longer part of the Delta table.
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
  // Paths that the Delta log may name for the partition, as JSON; NULL in a ledger made by an older program.
  logged_files: 'text',
  // Definitions that a native partition has in addition to its parent's, in the form of its store; NULL if an older
  // program detached it.
  own_ddl: 'text',
  // 1 while the table of a native partition is detached, but its rows are still read from that table.
  away: 'integer',
  // 1 from before DETACH PARTITION CONCURRENTLY until the table is detached or the detach was cancelled; the system
  // catalogs show its progress.
  leaving: 'integer',
  // Identify the owner's process, see `shared/owner`; NULL if an older program claimed the partition.
  machine: 'name',
  process_started: 'name',
  // Columns of the files and of the checksum, as JSON; NULL if an older program exported it: then the archive's
  // columns apply.
  stored: 'text',
  // When the partition expired, and who requested it; NULL if it has not expired, or was restored.
  expired_ms: 'integer',
  expired_by: 'name',
  // Time at which the destruction of the partition's files began: from then on the partition cannot be restored.
  swept_ms: 'integer',
  // For a later part of a period: name of the first part, and the part number from 2 on; NULL for the first part.
  period: 'name',
  part: 'integer',
  // For a table partitioned by whole numbers: the kind of time that they encode. `name` if they encode no time, and the
  // user named the partition. Otherwise NULL, also if an older program archived the partition.
  chosen_by: 'name',
}

const HISTORY: ArchiveColumns = {
  num_rows: 'integer',
  checksum: 'name',
  delta_version: 'integer',
  run_id: 'integer',
  error_message: 'text',
  at_ms: 'integer',
}

const HEADS: ArchiveColumns = {
  // Version of the commit that carries this ownership token.
  delta_version: 'integer',
  // `intended` before its commit is written, `left` once the log is known to have the token.
  state: 'name',
  run_id: 'integer',
  at_ms: 'integer',
}

const COMMITS: ArchiveColumns = {
  // Digest of the bytes of the commit.
  sha256: 'name',
  // `intended` before the commit is written, `landed` once the log is known to have it.
  state: 'name',
}

/** Lease of a row that one program works on at a time, see `leased-row`. */
const LEASED: ArchiveColumns = {
  owner: 'name',
  host: 'name',
  pid: 'integer',
  machine: 'name',
  process_started: 'name',
  lease_until: 'integer',
}

const ERASURES: ArchiveColumns = {
  // `erasing`, `destroying` (the files in `destroyed` are being destroyed), `done`.
  state: 'name',
  // A ticket, as the user wrote it: nothing else about the person is kept.
  reason: 'text',
  // Names of the columns in the condition, as JSON.
  tested: 'text',
  signed_by: 'name',
  tool: 'name',
  // Identifies the condition until the erasure has ended: a slow hash with its salt. Then NULL.
  condition_hash: 'text',
  ...LEASED,
  // First Delta version of the remaining history.
  delta_version: 'integer',
  // Names, bytes and sha256 of files that are destroyed, as JSON.
  destroyed: 'text',
  begun_ms: 'integer',
  ended_ms: 'integer',
}

const ERASED: ArchiveColumns = {
  // Rows erased from Parquet files, and from the database.
  archived_rows: 'integer',
  source_rows: 'integer',
  // Rows that are left in the files.
  left_rows: 'integer',
  checksum: 'name',
  delta_version: 'integer',
  // Fencing token of the claim that recorded it; for rows in no partition a number derived from the run id.
  fence: 'integer',
  at_ms: 'integer',
}

const SWEEPS: ArchiveColumns = {
  // `destroying` (the files in `files` are being destroyed), `done`.
  state: 'name',
  signed_by: 'name',
  tool: 'name',
  ...LEASED,
  retention_ms: 'integer',
  // Versions before this Delta version have lost files.
  delta_version: 'integer',
  // Partition, name, bytes and sha256 of each file, as JSON.
  files: 'text',
  begun_ms: 'integer',
  ended_ms: 'integer',
}

export const TABLES: Readonly<Record<string, LedgerTable>> = {
  migration_archives: { key: TABLE_COLUMNS, columns: ARCHIVE_COLUMNS },
  migration_archive_partitions: { key: OF_PARTITION, columns: PARTITION_COLUMNS },
  migration_archive_history: {
    key: { ...OF_PARTITION, fence: 'integer', state: 'name' },
    columns: HISTORY,
  },
  migration_archive_erasures: { key: { ...TABLE_COLUMNS, erasure_id: 'integer' }, columns: ERASURES },
  // `place`: the partition, or `table/` and the run id for rows in no partition.
  migration_archive_erased: {
    key: { ...TABLE_COLUMNS, erasure_id: 'integer', place: 'name' },
    columns: ERASED,
  },
  migration_archive_sweeps: { key: { ...TABLE_COLUMNS, sweep_id: 'integer' }, columns: SWEEPS },
  migration_archive_heads: { key: { ...TABLE_COLUMNS, head: 'integer' }, columns: HEADS },
  // Since version 10. Two programs may intend the same version: `head` shows which commit was written.
  migration_archive_commits: {
    key: { ...TABLE_COLUMNS, delta_version: 'integer', head: 'integer' },
    columns: COMMITS,
  },
}

/** Parts of a period, and partitions in a state, are queried each time a partition advances. Since version 7. */
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
