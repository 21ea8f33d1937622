/**
 * The register of every table that sluice makes for itself, on any system. Copies leave these tables out, and a user's
 * table of such a name is refused. Documents and tests use the register, too. `late-table` and `ledger/schema` refuse
 * to create a table that is not in it.
 */

/**
 * The part of sluice that makes a table and migrates it under its own version. `catalog`: catalog of logs. `copy`,
 * `archive`: their ledgers. `ledger log`: the log that holds a ledger in Cassandra. `track`: shared with the Cassandra
 * Data Migrator. `partitions`: helper tables while a table is partitioned. `streams`: state of a trigger stream at its
 * source. `queue`: queue of the workers.
 */
export type OwnTableOwner = 'catalog' | 'copy' | 'archive' | 'ledger log' | 'track' | 'partitions' | 'streams' | 'queue'

export type OwnTable = {
  readonly name: string
  readonly owner: OwnTableOwner
  /** First version of the owner's tables that has this table. */
  readonly since: number
  /** True if the table is created at its first use, by any version; absent if it is created with the owner's others. */
  readonly late?: true
  /** Systems that have this table; absent: all systems of its owner. */
  readonly only?: readonly string[]
  /** Columns that the table has in every version: they distinguish it from a user's table of that name. */
  readonly marks: readonly string[]
  /** True if the table has exactly one column; a user's table may have a column of that name among others. */
  readonly oneColumn?: true
  /** True if several tables have this name and a number after it, which identifies the table or the stream. */
  readonly numbered?: true
}

const catalog = (since: number, marks: readonly string[], ...names: readonly string[]): readonly OwnTable[] =>
  names.map((name) => ({ name, owner: 'catalog', since, marks }))
const late = (name: string, since: number, marks: readonly string[]): OwnTable => ({
  name,
  owner: 'copy',
  since,
  late: true,
  marks,
})

const queueTable = (name: string, marks: readonly string[], since = 1): OwnTable => ({
  name,
  owner: 'queue',
  since,
  only: ['postgresql'],
  marks,
})

export const OWN_TABLES: readonly OwnTable[] = [
  { name: 'migration_ledger', owner: 'copy', since: 1, marks: ['version'], oneColumn: true },
  { name: 'migration_tokens', owner: 'copy', since: 1, marks: ['token'], oneColumn: true },
  { name: 'migration_runs', owner: 'copy', since: 1, marks: ['run_id', 'plan_hash'] },
  { name: 'migration_plans', owner: 'copy', since: 1, marks: ['schema_name', 'table_name', 'plan_hash'] },
  // The script of the user's guide also creates a table of this name, with fewer columns: both have these two columns.
  { name: 'migration_checkpoints', owner: 'copy', since: 1, marks: ['table_name', 'records_processed'] },
  { name: 'migration_chunk_history', owner: 'copy', since: 1, marks: ['table_name', 'retired_ms'] },
  { name: 'migration_quarantine', owner: 'copy', since: 1, marks: ['quarantine_id', 'row_key'] },
  { name: 'migration_repairs', owner: 'copy', since: 1, marks: ['repair_id', 'row_key'] },
  late('migration_repair_plans', 1, ['run_id', 'schema_name', 'table_name']),
  late('migration_rechecks', 1, ['recheck_id']),
  late('migration_objects', 1, ['schema_name', 'table_name', 'kind']),
  late('migration_tracked_runs', 1, ['run_id', 'schema_name', 'table_name']),
  { name: 'migration_accepted_differences', owner: 'copy', since: 2, marks: ['acceptance_id'] },
  late('migration_surplus_changes', 2, ['table_name']),
  late('migration_shared_tables', 3, ['shared_run', 'schema_name', 'table_name']),
  late('migration_shared_restarts', 4, ['shared_run', 'what', 'table_name']),
  late('migration_streams', 3, ['stream_id', 'source_identity']),
  late('migration_stream_lanes', 3, ['stream_id', 'log_position']),
  late('migration_stream_tables', 3, ['stream_id', 'source_table']),
  late('migration_stream_rereads', 3, ['reread_id', 'stream_id']),
  late('migration_stream_proofs', 3, ['proof_id', 'stream_id']),
  late('migration_shared_copies', 4, ['stream_id', 'shared_run', 'fence']),
  late('migration_proof_rounds', 4, ['stream_id', 'round_id']),
  late('migration_proof_ranges', 4, ['round_id', 'range_no']),
  late('migration_sign_offs', 3, ['sign_off_id', 'stream_id']),
  late('migration_switches', 3, ['switch_id', 'reverse_stream_id']),
  late('migration_decommissions', 3, ['decommission_id', 'switch_id']),
  late('migration_database_decommissions', 3, ['decommission_id', 'database_identity']),

  { name: 'migration_archives', owner: 'archive', since: 1, marks: ['schema_name', 'table_name', 'archive'] },
  {
    name: 'migration_archive_partitions',
    owner: 'archive',
    since: 1,
    marks: ['schema_name', 'table_name', 'partition_name'],
  },
  { name: 'migration_archive_history', owner: 'archive', since: 1, marks: ['table_name', 'partition_name'] },
  { name: 'migration_archive_ledger', owner: 'archive', since: 2, marks: ['version'], oneColumn: true },
  { name: 'migration_archive_heads', owner: 'archive', since: 3, marks: ['table_name'] },
  { name: 'migration_archive_commits', owner: 'archive', since: 10, marks: ['delta_version', 'table_name'] },
  { name: 'migration_archive_erasures', owner: 'archive', since: 5, marks: ['erasure_id', 'table_name'] },
  { name: 'migration_archive_erased', owner: 'archive', since: 5, marks: ['erasure_id', 'place'] },
  { name: 'migration_archive_sweeps', owner: 'archive', since: 6, marks: ['sweep_id', 'table_name'] },
  { name: 'migration_removals', owner: 'archive', since: 1, late: true, only: ['cassandra'], marks: ['table_name'] },

  { name: 'sluice_ledger_head', owner: 'ledger log', since: 1, only: ['cassandra'], marks: [] },
  { name: 'sluice_ledger_log', owner: 'ledger log', since: 1, only: ['cassandra'], marks: [] },
  { name: 'sluice_ledger_part', owner: 'ledger log', since: 1, only: ['cassandra'], marks: [] },

  {
    name: 'sluice_keys',
    owner: 'partitions',
    since: 1,
    late: true,
    only: ['postgresql'],
    marks: ['log_id', 'txid'],
    numbered: true,
  },
  // Such as `sluice_12_progress` of the stream of run 12.
  { name: 'sluice', owner: 'streams', since: 1, late: true, only: ['sqlite', 'mysql'], marks: [], numbered: true },

  { name: 'sluice_aside', owner: 'partitions', since: 1, late: true, only: ['postgresql'], marks: [], numbered: true },

  queueTable('sluice_runs', ['run_id', 'takes_turns']),
  queueTable('sluice_run_slots', ['run_id', 'slot_no']),
  queueTable('sluice_run_refusals', ['run_id', 'worker_id']),
  queueTable('sluice_workers', ['worker_id', 'concurrency']),
  { ...queueTable('sluice_queue_version', ['version']), oneColumn: true },
  queueTable('sluice_schedules', ['words', 'catch_up'], 2),
  queueTable('sluice_schedule_runs', ['name', 'due_ms'], 2),
  queueTable('sluice_run_output', ['slot_no', 'events'], 2),
  queueTable('sluice_alerts', ['key_digest', 'cause'], 3),

  {
    name: 'cdm_run_info',
    owner: 'track',
    since: 1,
    only: ['cassandra', 'postgresql'],
    marks: 'table_name run_id run_type prev_run_id start_time end_time run_info status'.split(' '),
  },
  {
    name: 'cdm_run_details',
    owner: 'track',
    since: 1,
    only: ['cassandra', 'postgresql'],
    marks: 'table_name run_id start_time token_min token_max status run_info'.split(' '),
  },

  ...catalog(0, ['version', 'checksum'], 'catalog_migrations'),
  ...catalog(1, ['table_id', 'location'], 'delta_tables'),
  ...catalog(1, ['table_id'], 'delta_commits', 'delta_partitions', 'delta_files', 'delta_actions', 'delta_metadata'),
  ...catalog(1, ['table_id'], 'delta_protocols', 'delta_txns', 'delta_domains', 'migration_status'),
  ...catalog(1, ['table_id'], 'catalog_leases', 'catalog_validations'),
  ...catalog(1, ['run_id', 'actor'], 'catalog_audit'),
  ...catalog(2, ['table_id', 'column_no'], 'delta_range_columns', 'delta_range_zones', 'delta_file_ranges'),
  ...catalog(3, ['table_id'], 'catalog_fsck'),
]

const BY_NAME: ReadonlyMap<string, OwnTable> = new Map(OWN_TABLES.map((table) => [table.name, table]))

/** @returns null for a table that sluice never makes */
export function ownTable(name: string): OwnTable | null {
  const known = BY_NAME.get(name)
  if (known !== undefined) return known
  const family = BY_NAME.get(/^(\w+?)_\d+(?:_\w+)?$/.exec(name)?.[1] ?? '')
  return family?.numbered === true ? family : null
}

/** True if it is a ledger table, which records facts about user data: a copy by pattern leaves it out. */
export function isOfLedgers({ owner }: OwnTable): boolean {
  return owner !== 'catalog' && owner !== 'track'
}

/** Ledger tables with a fixed name. */
export const LEDGER_TABLES: readonly OwnTable[] = OWN_TABLES.filter((one) => isOfLedgers(one) && one.numbered !== true)

/** Name and one column of each ledger table: counts of tables use them to exclude ledger tables. */
export const LEDGER_MARKS: readonly (readonly [name: string, column: string])[] = LEDGER_TABLES.flatMap(
  ({ name, marks: [mark] }) => (mark === undefined ? [] : [[name, mark] as const]),
)

/**
 * Names under which every session refuses an object that is not a plain table of sluice, such as a view. Tables of a
 * queue are not included: for these, the owner of their schema is checked.
 */
export const PLAIN_NAMES: readonly string[] = OWN_TABLES.filter(
  ({ numbered, owner }) => numbered !== true && owner !== 'queue',
).map(({ name }) => name)
