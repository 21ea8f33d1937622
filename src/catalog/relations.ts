/**
 * The catalog's relations as lists of columns, for all code that uses them. docs/reference/CATALOG.md explains them to
 * users.
 */

export const FILE_COLUMNS = [
  'file_no',
  'table_id',
  'path',
  'dv_id',
  'added_version',
  'removed_version',
  'size',
  'modification_time',
  'num_records',
  'partition_no',
  'key_hash',
  'line',
  'data_change',
  'from_checkpoint',
  'partition_values',
  'tags',
  'deletion_vector',
  'base_row_id',
  'default_row_commit_version',
  'clustering_provider',
  'add_raw',
  'stats',
] as const

export const COMMIT_COLUMNS = [
  'table_id',
  'version',
  'commit_time',
  'in_commit_time',
  'file_mtime',
  'log_bytes',
  'log_digest',
  'operation',
  'engine',
  'commit_info',
  'commit_info_line',
  'num_lines',
  'adds',
  'removes',
  'added_bytes',
  'removed_bytes',
  'first_file_no',
  'num_files',
  'num_bytes',
  'num_records',
  'files_without_records',
] as const

export const ACTION_COLUMNS = ['table_id', 'version', 'source', 'line', 'kind', 'raw'] as const
export const PARTITION_COLUMNS = ['partition_no', 'table_id', 'values_hash', 'partition_values'] as const
export const METADATA_COLUMNS = [
  'table_id',
  'version',
  'source',
  'line',
  'metadata_id',
  'name',
  'description',
  'format_provider',
  'format_options',
  'schema_string',
  'partition_columns',
  'configuration',
  'created_time',
] as const
export const PROTOCOL_COLUMNS = [
  'table_id',
  'version',
  'source',
  'line',
  'min_reader_version',
  'min_writer_version',
  'reader_features',
  'writer_features',
] as const
export const TXN_COLUMNS = ['table_id', 'version', 'source', 'line', 'app_id', 'txn_version', 'last_updated'] as const
export const DOMAIN_COLUMNS = ['table_id', 'version', 'source', 'line', 'domain', 'configuration', 'removed'] as const

/** Every relation that an import loads, with its columns in the order of a row. @internal for tests */
export const LOADED_RELATIONS = {
  delta_files: FILE_COLUMNS,
  delta_commits: COMMIT_COLUMNS,
  delta_partitions: PARTITION_COLUMNS,
  delta_actions: ACTION_COLUMNS,
  delta_metadata: METADATA_COLUMNS,
  delta_protocols: PROTOCOL_COLUMNS,
  delta_txns: TXN_COLUMNS,
  delta_domains: DOMAIN_COLUMNS,
} as const

/** Index of each column in a row, by name. */
export function columnPlaces<C extends readonly string[]>(columns: C): { readonly [name in C[number]]: number } {
  return Object.fromEntries(columns.map((name, at) => [name, at])) as { readonly [name in C[number]]: number }
}

/** A row from its values by name: no value can be missing or at a wrong index. */
export function rowOf<C extends readonly string[], V>(columns: C, values: { readonly [name in C[number]]: V }): V[] {
  return columns.map((name: C[number]) => values[name])
}

/** Source of a row of `delta_actions` and similar relations. */
export const SOURCE = { commit: 0, checkpoint: 1 } as const
