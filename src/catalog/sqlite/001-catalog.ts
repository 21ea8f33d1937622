/** Migration 1 of the SQLite catalog: every relation of docs/reference/CATALOG.md. Never edited after a release. */
export const sqliteCatalogSql = `
CREATE TABLE delta_tables (
  table_id TEXT PRIMARY KEY,
  location TEXT NOT NULL,
  metadata_id TEXT,
  name TEXT,
  description TEXT,
  import_id INTEGER,
  current_version INTEGER,
  history_from INTEGER,
  current_commit_time INTEGER,
  cursor TEXT,
  num_files INTEGER,
  num_bytes INTEGER,
  num_records INTEGER,
  protocol TEXT,
  schema TEXT,
  partition_columns TEXT,
  configuration TEXT,
  refused TEXT,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL
);
CREATE UNIQUE INDEX delta_tables_location ON delta_tables(location);

CREATE TABLE delta_commits (
  table_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  commit_time INTEGER,
  in_commit_time INTEGER NOT NULL,
  file_mtime INTEGER,
  log_bytes INTEGER,
  log_digest BLOB,
  operation TEXT,
  engine TEXT,
  commit_info TEXT,
  commit_info_line INTEGER,
  num_lines INTEGER,
  adds INTEGER NOT NULL,
  removes INTEGER NOT NULL,
  added_bytes INTEGER NOT NULL,
  removed_bytes INTEGER NOT NULL,
  first_file_no INTEGER,
  num_files INTEGER NOT NULL,
  num_bytes INTEGER NOT NULL,
  num_records INTEGER NOT NULL,
  files_without_records INTEGER NOT NULL,
  PRIMARY KEY (table_id, version)
) WITHOUT ROWID;

CREATE TABLE delta_partitions (
  partition_no INTEGER PRIMARY KEY,
  table_id TEXT NOT NULL,
  values_hash INTEGER NOT NULL,
  partition_values TEXT NOT NULL
);
CREATE INDEX delta_partitions_values ON delta_partitions(table_id, values_hash);

CREATE TABLE delta_files (
  file_no INTEGER PRIMARY KEY,
  table_id TEXT NOT NULL,
  path TEXT NOT NULL,
  dv_id TEXT,
  added_version INTEGER NOT NULL,
  removed_version INTEGER,
  size INTEGER NOT NULL,
  modification_time INTEGER NOT NULL,
  num_records INTEGER,
  partition_no INTEGER,
  key_hash INTEGER NOT NULL,
  line INTEGER NOT NULL,
  data_change INTEGER NOT NULL,
  from_checkpoint INTEGER NOT NULL,
  partition_values TEXT,
  tags TEXT,
  deletion_vector TEXT,
  base_row_id INTEGER,
  default_row_commit_version INTEGER,
  clustering_provider TEXT,
  add_raw BLOB,
  stats TEXT
);

CREATE TABLE delta_actions (
  table_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  source INTEGER NOT NULL,
  line INTEGER NOT NULL,
  kind TEXT NOT NULL,
  raw BLOB NOT NULL,
  PRIMARY KEY (table_id, version, source, line)
) WITHOUT ROWID;

CREATE TABLE delta_metadata (
  table_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  source INTEGER NOT NULL,
  line INTEGER NOT NULL,
  metadata_id TEXT NOT NULL,
  name TEXT,
  description TEXT,
  format_provider TEXT,
  format_options TEXT,
  schema_string TEXT,
  partition_columns TEXT NOT NULL,
  configuration TEXT NOT NULL,
  created_time INTEGER,
  PRIMARY KEY (table_id, version, source, line)
) WITHOUT ROWID;

CREATE TABLE delta_protocols (
  table_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  source INTEGER NOT NULL,
  line INTEGER NOT NULL,
  min_reader_version INTEGER NOT NULL,
  min_writer_version INTEGER NOT NULL,
  reader_features TEXT,
  writer_features TEXT,
  PRIMARY KEY (table_id, version, source, line)
) WITHOUT ROWID;

CREATE TABLE delta_txns (
  table_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  source INTEGER NOT NULL,
  line INTEGER NOT NULL,
  app_id TEXT NOT NULL,
  txn_version INTEGER NOT NULL,
  last_updated INTEGER,
  PRIMARY KEY (table_id, version, source, line)
) WITHOUT ROWID;
CREATE INDEX delta_txns_app ON delta_txns(table_id, app_id, version);

CREATE TABLE delta_domains (
  table_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  source INTEGER NOT NULL,
  line INTEGER NOT NULL,
  domain TEXT NOT NULL,
  configuration TEXT NOT NULL,
  removed INTEGER NOT NULL,
  PRIMARY KEY (table_id, version, source, line)
) WITHOUT ROWID;

CREATE TABLE migration_status (
  import_id INTEGER PRIMARY KEY,
  table_id TEXT NOT NULL,
  status TEXT NOT NULL,
  version INTEGER,
  files_processed INTEGER NOT NULL DEFAULT 0,
  started_at TEXT NOT NULL,
  completed_at TEXT,
  error_message TEXT
);
CREATE INDEX migration_status_table ON migration_status(table_id, started_at);

CREATE TABLE catalog_leases (
  table_id TEXT PRIMARY KEY,
  fence INTEGER NOT NULL,
  owner TEXT NOT NULL,
  host TEXT NOT NULL,
  pid INTEGER NOT NULL,
  command TEXT NOT NULL,
  acquired_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
);

CREATE TABLE catalog_validations (
  table_id TEXT NOT NULL,
  checked_at INTEGER NOT NULL,
  run_id INTEGER NOT NULL,
  version INTEGER NOT NULL,
  checks INTEGER NOT NULL,
  differences INTEGER NOT NULL,
  PRIMARY KEY (table_id, run_id)
) WITHOUT ROWID;

CREATE TABLE catalog_audit (
  run_id INTEGER PRIMARY KEY,
  started_at TEXT NOT NULL,
  completed_at TEXT,
  actor TEXT NOT NULL,
  host TEXT NOT NULL,
  tool TEXT NOT NULL,
  command TEXT NOT NULL,
  subject TEXT,
  status TEXT NOT NULL,
  exit_code INTEGER,
  error_code TEXT,
  detail TEXT
);

CREATE VIEW delta_active_files AS
  SELECT f.* FROM delta_tables t JOIN delta_files f ON f.table_id = t.table_id
  WHERE f.added_version <= t.current_version
    AND (f.removed_version IS NULL OR f.removed_version > t.current_version);
`

/** Indexes of delta_files. An import into an empty catalog builds them last, which is faster. */
export const fileIndexes = [
  { name: 'delta_files_table', sql: 'CREATE INDEX IF NOT EXISTS delta_files_table ON delta_files(table_id)' },
  { name: 'delta_files_key', sql: 'CREATE INDEX IF NOT EXISTS delta_files_key ON delta_files(key_hash)' },
  {
    name: 'delta_files_partition',
    sql: 'CREATE INDEX IF NOT EXISTS delta_files_partition ON delta_files(table_id, partition_no, removed_version, added_version)',
  },
  {
    name: 'delta_files_closed',
    sql: 'CREATE INDEX IF NOT EXISTS delta_files_closed ON delta_files(table_id, removed_version, added_version) WHERE removed_version IS NOT NULL',
  },
] as const
