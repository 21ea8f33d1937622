/**
 * Migration 1 of the catalogs on PostgreSQL, MySQL and DuckDB: the relations of docs/reference/CATALOG.md in the types
 * of each dialect. SQLite's migration is in sqlite/001-catalog.ts. Never edited after a release; later changes are new
 * migrations.
 */

export type RelationTypes = {
  /** Type of text of any length, compared by bytes. */
  readonly text: string
  /** Type of a text column in a key. */
  readonly key: string
  readonly bytes: string
  /** SQL after the closing bracket of CREATE TABLE. */
  readonly end: string
  /** SQL of the primary key of delta_files, or empty. */
  readonly filesKey: string
  /** SQL after the closing bracket of the CREATE TABLE of delta_files. */
  readonly filesEnd: string
  /** Index definitions inside CREATE TABLE, or empty: `(name, columns)`. */
  inlineIndex(name: string, columns: string): string
  /** An index as a separate statement, or empty. */
  index(name: string, relation: string, columns: string): string
  /** SQL of a column and a constraint (`inline`), or of an index (`statement`), that makes locations unique. */
  readonly uniqueLocation: { readonly inline: string; readonly statement: string }
  readonly orReplace: string
}

const TYPE_WORD = /\b(key(?= NOT NULL)|text|bytes)\b/g

const at = 'table_id key NOT NULL, version bigint NOT NULL, source bigint NOT NULL, line bigint NOT NULL'
const atKey = 'PRIMARY KEY (table_id, version, source, line)'

/** The statements in the types of one dialect. Every CREATE can run again. */
export function catalogSql(t: RelationTypes): string {
  const table = (name: string, body: string, end: string = t.end): string =>
    `CREATE TABLE IF NOT EXISTS ${name} (\n  ${body.replaceAll(TYPE_WORD, (word) => t[word as 'key' | 'text' | 'bytes'])}\n)${end};\n`
  return [
    table(
      'delta_tables',
      `table_id key NOT NULL, location text NOT NULL, metadata_id text, name text, description text, import_id bigint,
  current_version bigint, history_from bigint, current_commit_time bigint, "cursor" text, num_files bigint, num_bytes bigint, num_records bigint,
  protocol text, "schema" text, partition_columns text, configuration text, refused text, created_at text NOT NULL, updated_at text NOT NULL,
  PRIMARY KEY (table_id)${t.uniqueLocation.inline}`,
    ),
    t.uniqueLocation.statement,
    table(
      'delta_commits',
      `table_id key NOT NULL, version bigint NOT NULL, commit_time bigint, in_commit_time bigint NOT NULL, file_mtime bigint, log_bytes bigint,
  log_digest bytes, operation text, engine text, commit_info text, commit_info_line bigint, num_lines bigint, adds bigint NOT NULL,
  removes bigint NOT NULL, added_bytes bigint NOT NULL, removed_bytes bigint NOT NULL, first_file_no bigint, num_files bigint NOT NULL,
  num_bytes bigint NOT NULL, num_records bigint NOT NULL, files_without_records bigint NOT NULL, PRIMARY KEY (table_id, version)`,
    ),
    table(
      'delta_partitions',
      `partition_no bigint NOT NULL, table_id key NOT NULL, values_hash bigint NOT NULL, partition_values text NOT NULL,
  PRIMARY KEY (table_id, partition_no)${t.inlineIndex('delta_partitions_values', 'table_id, values_hash')}`,
    ),
    t.index('delta_partitions_values', 'delta_partitions', 'table_id, values_hash'),
    table(
      'delta_files',
      `file_no bigint NOT NULL, table_id key NOT NULL, path text NOT NULL, dv_id text, added_version bigint NOT NULL, removed_version bigint,
  size bigint NOT NULL, modification_time bigint NOT NULL, num_records bigint, partition_no bigint, key_hash bigint NOT NULL, line bigint NOT NULL,
  data_change bigint NOT NULL, from_checkpoint bigint NOT NULL, partition_values text, tags text, deletion_vector text, base_row_id bigint,
  default_row_commit_version bigint, clustering_provider text, add_raw bytes, stats text${t.filesKey}`,
      t.filesEnd,
    ),
    table('delta_actions', `${at}, kind text NOT NULL, raw bytes NOT NULL, ${atKey}`),
    table(
      'delta_metadata',
      `${at}, metadata_id text NOT NULL, name text, description text, format_provider text, format_options text, schema_string text,
  partition_columns text NOT NULL, configuration text NOT NULL, created_time bigint, ${atKey}`,
    ),
    table(
      'delta_protocols',
      `${at}, min_reader_version bigint NOT NULL, min_writer_version bigint NOT NULL, reader_features text, writer_features text, ${atKey}`,
    ),
    table('delta_txns', `${at}, app_id text NOT NULL, txn_version bigint NOT NULL, last_updated bigint, ${atKey}`),
    table(
      'delta_domains',
      `${at}, domain text NOT NULL, configuration text NOT NULL, removed bigint NOT NULL, ${atKey}`,
    ),
    table(
      'migration_status',
      `import_id bigint NOT NULL, table_id key NOT NULL, status text NOT NULL, version bigint, files_processed bigint NOT NULL DEFAULT 0,
  started_at text NOT NULL, completed_at text, error_message text, PRIMARY KEY (import_id)${t.inlineIndex('migration_status_table', 'table_id, import_id')}`,
    ),
    t.index('migration_status_table', 'migration_status', 'table_id, import_id'),
    table(
      'catalog_leases',
      `table_id key NOT NULL, fence bigint NOT NULL, owner text NOT NULL, host text NOT NULL, pid bigint NOT NULL, command text NOT NULL,
  acquired_at bigint NOT NULL, expires_at bigint NOT NULL, PRIMARY KEY (table_id)`,
    ),
    table(
      'catalog_validations',
      `table_id key NOT NULL, checked_at bigint NOT NULL, run_id bigint NOT NULL, version bigint NOT NULL, checks bigint NOT NULL,
  differences bigint NOT NULL, PRIMARY KEY (table_id, run_id)`,
    ),
    table(
      'catalog_audit',
      `run_id bigint NOT NULL, started_at text NOT NULL, completed_at text, actor text NOT NULL, host text NOT NULL, tool text NOT NULL,
  command text NOT NULL, subject text, status text NOT NULL, exit_code bigint, error_code text, detail text, PRIMARY KEY (run_id)`,
    ),
    `CREATE ${t.orReplace} VIEW delta_active_files AS
  SELECT f.* FROM delta_tables t JOIN delta_files f ON f.table_id = t.table_id
  WHERE f.added_version <= t.current_version AND (f.removed_version IS NULL OR f.removed_version > t.current_version);\n`,
  ].join('')
}
