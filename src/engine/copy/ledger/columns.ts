/** Columns of the ledger's tables in the newest version. */
import type { LedgerDialect } from '../../../stores/ledger-dialect.ts'

type Types = Pick<LedgerDialect, 'types'>

export type CopyColumnKind = 'integer' | 'name' | 'text' | 'time' | 'counter'
export type CopyColumns = Readonly<Record<string, CopyColumnKind>>

/** Columns of the table that the script creates. */
export const SEED_COLUMNS: CopyColumns = {
  table_name: 'name',
  start_id: 'integer',
  end_id: 'integer',
  status: 'name',
  records_processed: 'counter',
  error_message: 'text',
}

/** Columns since version 2. */
export const LATE_CHUNK_COLUMNS: CopyColumns = {
  // Target rows in the chunk's range minus source rows read, at its completion. NULL is unknown: version 1 did not
  // record it.
  surplus: 'integer',
}

/** Columns since version 3: they distinguish an owner's process from all others, see `shared/owner`. */
export const LATE_OWNER_COLUMNS: CopyColumns = { machine: 'name', process_started: 'name' }

export const CHUNK_COLUMNS: CopyColumns = {
  schema_name: 'name',
  run_id: 'integer',
  chunk_no: 'integer',
  // Kind of the range from `lo` to `hi`: key, nullKey, block or all.
  kind: 'name',
  // JSON lists of texts; NULL is no bound.
  lo: 'text',
  hi: 'text',
  attempt: 'counter',
  owner: 'name',
  host: 'name',
  pid: 'integer',
  session: 'text',
  claim: 'name',
  fence: 'counter',
  lease_until: 'counter',
  next_try: 'counter',
  cursor_key: 'text',
  rows_read: 'counter',
  rows_written: 'counter',
  rows_skipped: 'counter',
  rows_quarantined: 'counter',
  bytes: 'counter',
  proof: 'name',
  source_checksum: 'name',
  target_checksum: 'name',
  read_view: 'text',
  read_position: 'text',
  read_at: 'name',
  error_code: 'name',
  started_ms: 'integer',
  completed_ms: 'integer',
  ...LATE_CHUNK_COLUMNS,
  ...LATE_OWNER_COLUMNS,
}

/** Columns since version 2. */
export const LATE_RUN_COLUMNS: CopyColumns = {
  // Set when the run ends; NULL while it runs.
  rows_written: 'integer',
  // Time until which the process is considered alive, ms by this database's clock; NULL for runs without a heartbeat.
  alive_until: 'integer',
}

const RUN_COLUMNS: CopyColumns = {
  operation: 'name',
  source: 'text',
  target: 'text',
  status: 'name',
  plan_hash: 'name',
  command: 'text',
  tool: 'name',
  actor: 'text',
  host: 'text',
  pid: 'integer',
  started_ms: 'integer',
  ended_ms: 'integer',
  exit_code: 'integer',
  detail: 'text',
  ...LATE_RUN_COLUMNS,
  ...LATE_OWNER_COLUMNS,
}

/** Columns that some ledgers of version 1 lack. */
export const LATE_PLAN_COLUMNS: CopyColumns = {
  // Rows in the target table minus source rows read, if only the whole table can be counted. NULL is unknown.
  surplus: 'integer',
  // `Identification.mark` of the target table; NULL if unknown.
  target_mark: 'text',
}

/** Columns since version 3: the process of the planner. */
export const LATE_PLANNER_COLUMNS: CopyColumns = {
  planner_host: 'name',
  planner_pid: 'integer',
  planner_machine: 'name',
  planner_started: 'name',
}

const PLAN_COLUMNS: CopyColumns = {
  source: 'text',
  source_table: 'text',
  plan_hash: 'name',
  plan: 'text',
  // Options of the copy, as JSON: a replay of quarantined rows builds the same plan from them.
  wishes: 'text',
  run_id: 'integer',
  chunk_rows: 'integer',
  // 1 once every row of the source belongs to a chunk.
  planned: 'counter',
  planner: 'name',
  planner_until: 'counter',
  created_ms: 'integer',
  // 1 if this copy created the table.
  made_here: 'counter',
  ...LATE_PLAN_COLUMNS,
  ...LATE_PLANNER_COLUMNS,
}

const QUARANTINE_COLUMNS: CopyColumns = {
  run_id: 'integer',
  schema_name: 'name',
  table_name: 'name',
  checkpoint_id: 'integer',
  row_key: 'text',
  stage: 'name',
  error_code: 'name',
  message: 'text',
  row_json: 'text',
  created_ms: 'integer',
  replayed_ms: 'integer',
}

const REPAIR_COLUMNS: CopyColumns = {
  run_id: 'integer',
  schema_name: 'name',
  table_name: 'name',
  row_key: 'text',
  action: 'name',
  // The earlier row of the target; NULL if there was none.
  before_json: 'text',
  after_json: 'text',
  repaired_ms: 'integer',
  undone_ms: 'integer',
}

/** Differences between both sides that the owner of the data accepted. Since version 2. */
const ACCEPTED_COLUMNS: CopyColumns = {
  schema_name: 'name',
  table_name: 'name',
  // Id of a row of migration_checkpoints; NULL for the table as a whole.
  checkpoint_id: 'integer',
  chunk_no: 'integer',
  source_rows: 'integer',
  expected_rows: 'integer',
  target_rows: 'integer',
  // target_rows minus expected_rows.
  difference: 'integer',
  accepted_ms: 'integer',
  accepted_by: 'text',
  run_id: 'integer',
}

/** Statement that creates the table of accepted differences. */
export function acceptedTable(dialect: Types): string {
  const columns = listed(dialect, ACCEPTED_COLUMNS)
  return `CREATE TABLE IF NOT EXISTS migration_accepted_differences (acceptance_id ${dialect.types.name} NOT NULL PRIMARY KEY, ${columns})`
}

function listed(dialect: Types, columns: CopyColumns): string {
  return Object.entries(columns)
    .map(([column, kind]) => `${column} ${ledgerColumnType(dialect, kind)}`)
    .join(', ')
}

/** Statements that create the tables of version 1, with the columns of the newest version. */
export function tables(dialect: Types): readonly string[] {
  const { id, integer, name, time, currentTime } = dialect.types
  const list = listed.bind(null, dialect)
  return [
    `CREATE TABLE IF NOT EXISTS migration_ledger (version ${integer} NOT NULL PRIMARY KEY)`,
    `CREATE TABLE IF NOT EXISTS migration_tokens (token ${name} NOT NULL PRIMARY KEY)`,
    `CREATE TABLE IF NOT EXISTS migration_runs (run_id ${integer} NOT NULL PRIMARY KEY, ${list(RUN_COLUMNS)})`,
    `CREATE TABLE IF NOT EXISTS migration_plans (schema_name ${name} NOT NULL, table_name ${name} NOT NULL, ${list(PLAN_COLUMNS)},
      PRIMARY KEY (schema_name, table_name))`,
    `CREATE TABLE IF NOT EXISTS migration_checkpoints (id ${id}, ${list(SEED_COLUMNS)},
      created_at ${time} DEFAULT ${currentTime}, ${list(CHUNK_COLUMNS)})`,
    `CREATE TABLE IF NOT EXISTS migration_chunk_history (history_id ${id}, id ${integer}, ${list(SEED_COLUMNS)},
      created_at ${time}, ${list(CHUNK_COLUMNS)}, reason ${name}, retired_ms ${integer})`,
    `CREATE TABLE IF NOT EXISTS migration_repairs (repair_id ${name} NOT NULL PRIMARY KEY, ${list(REPAIR_COLUMNS)})`,
    `CREATE TABLE IF NOT EXISTS migration_quarantine (quarantine_id ${name} NOT NULL PRIMARY KEY, ${list(QUARANTINE_COLUMNS)})`,
  ]
}

/** Primary keys of tables that older versions created without a primary key. */
export function lateKeys({ types }: Types): Readonly<Record<string, string>> {
  return { migration_ledger: 'PRIMARY KEY (version)', migration_chunk_history: `COLUMN history_id ${types.id}` }
}

export const CHUNK_TABLE = 'migration_checkpoints'

/** Indexes of `CHUNK_TABLE`: next chunk by status, and all chunks of a table in order. Since version 3. */
export const CHUNK_INDEXES: Readonly<Record<string, string>> = {
  migration_checkpoints_by_status: 'status, table_name, schema_name, chunk_no, id',
  migration_checkpoints_by_id: 'table_name, schema_name, id',
}

/** Index of `CHUNK_TABLE`: latest chunks of a run. Since version 4: without it all chunks are read for each run. */
export const CHUNK_INDEX_BY_RUN: Readonly<Record<string, string>> = {
  migration_checkpoints_by_run: 'run_id, completed_ms',
}

/** Index of ledgers before version 3: with it, each claim sorts all chunks of a status. */
export const OLD_CHUNK_INDEX = 'migration_checkpoints_by_table'

export function ledgerColumnType({ types }: Types, kind: CopyColumnKind): string {
  return kind === 'counter' ? `${types.integer} DEFAULT 0` : types[kind]
}

/**
 * Statements that remove the index of older ledgers. Only for databases where the ledger has no indexes, because an
 * index could be damaged.
 */
export function removals({ indexes }: Pick<LedgerDialect, 'indexes'>): readonly string[] {
  return indexes.kept ? [] : [indexes.drop(OLD_CHUNK_INDEX, CHUNK_TABLE)]
}

/** Columns that move to the history with a chunk. */
export const CHUNK_COLUMN_NAMES: readonly string[] = [
  'id',
  ...Object.keys(SEED_COLUMNS),
  'created_at',
  ...Object.keys(CHUNK_COLUMNS),
]
