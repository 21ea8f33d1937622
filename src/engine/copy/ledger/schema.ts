/**
 * The tables of the ledger. `migration_checkpoints` begins with the columns that users of the resumable script query, and keeps one row a chunk
 * that counts: what was cut again, and what belongs to copies of before, goes to `migration_chunk_history`.
 */
import type { TableName } from '../../../model/copy/column-type.ts'
import type { LedgerDatabase } from '../../../stores/copy-port.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { ledgerDialect, type LedgerDialect } from '../../../stores/ledger-dialect.ts'

export const LEDGER_VERSION = 1

/** Names of the ledger's own tables, which are never part of a copy by pattern. */
export function isLedgerTable({ name }: TableName): boolean {
  return /^(?:migration_(?:ledger|runs|plans|checkpoints|chunk_history|quarantine|repairs|repair_plans|rechecks|tokens|objects|archives|archive_partitions|archive_history|removals)|sluice_ledger_(?:head|log|part))$/.test(
    name,
  )
}

type ColumnKind = 'integer' | 'name' | 'text' | 'time' | 'counter'
type Columns = Readonly<Record<string, ColumnKind>>

/** As the script's own table has them. */
const SEED_COLUMNS: Columns = {
  table_name: 'name',
  start_id: 'integer',
  end_id: 'integer',
  status: 'name',
  records_processed: 'counter',
  error_message: 'text',
}

const CHUNK_COLUMNS: Columns = {
  schema_name: 'name',
  run_id: 'integer',
  chunk_no: 'integer',
  // key, nullKey, block, all: what `lo` and `hi` bound.
  kind: 'name',
  // JSON lists of texts; NULL is open.
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
}

const RUN_COLUMNS: Columns = {
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
}

/** That ledgers of older copies do not have; they get them, with nothing in them. */
const LATE_PLAN_COLUMNS: Columns = {
  // What `CopyStore.mark` says of the table that is filled; NULL where it is not known.
  target_mark: 'text',
}

const PLAN_COLUMNS: Columns = {
  source: 'text',
  source_table: 'text',
  plan_hash: 'name',
  plan: 'text',
  // What was asked for, as JSON: whoever replays a row makes the same plan.
  wishes: 'text',
  run_id: 'integer',
  chunk_rows: 'integer',
  // 1 as soon as every row of the source belongs to a chunk.
  planned: 'counter',
  planner: 'name',
  planner_until: 'counter',
  created_ms: 'integer',
  // The table was made by this copy.
  made_here: 'counter',
  ...LATE_PLAN_COLUMNS,
}

const QUARANTINE_COLUMNS: Columns = {
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

const REPAIR_COLUMNS: Columns = {
  run_id: 'integer',
  schema_name: 'name',
  table_name: 'name',
  row_key: 'text',
  action: 'name',
  // The row as the target held it; NULL where it held none.
  before_json: 'text',
  after_json: 'text',
  repaired_ms: 'integer',
  undone_ms: 'integer',
}

/**
 * Makes what is missing, adds columns to a table that the script left, and refuses a ledger of a newer tool.
 * @returns whether a table of the script was found and adopted
 * @throws SluiceError LEDGER_NEWER
 */
export async function prepareLedger(database: LedgerDatabase): Promise<{ readonly adopted: boolean }> {
  const dialect = ledgerDialect(database.dialect)
  const version = await versionOf(database, dialect)
  if (version === LEDGER_VERSION) {
    await addLateColumns(database, dialect)
    return { adopted: false }
  }
  if (version > LEDGER_VERSION) {
    throw new SluiceError(
      'LEDGER_NEWER',
      `the ledger in the target was written by a newer sluice (version ${version})`,
      {
        hint: 'use that version, or copy into another database',
      },
    )
  }
  const found = await columnNames(database, dialect, 'migration_checkpoints')
  const statements = [...dialect.before, ...tables(dialect)]
  const adopted = found.size > 0
  if (adopted) {
    for (const [name, kind] of Object.entries({ ...SEED_COLUMNS, ...CHUNK_COLUMNS })) {
      if (!found.has(name))
        statements.push(`ALTER TABLE migration_checkpoints ADD COLUMN ${name} ${columnType(dialect, kind)}`)
    }
  }
  statements.push(...indexes(database.dialect))
  // Each by itself: some systems commit every change of a table at once, and each of these can run again.
  for (const sql of statements) await runDdl(database, sql)
  await database.batch([
    { sql: 'DELETE FROM migration_ledger', parameters: [] },
    { sql: 'INSERT INTO migration_ledger (version) VALUES (?)', parameters: [LEDGER_VERSION] },
  ])
  return { adopted }
}

async function addLateColumns(database: LedgerDatabase, dialect: LedgerDialect): Promise<void> {
  const found = await columnNames(database, dialect, 'migration_plans')
  for (const [name, kind] of Object.entries(LATE_PLAN_COLUMNS)) {
    if (found.has(name)) continue
    await runDdl(database, `ALTER TABLE migration_plans ADD COLUMN ${name} ${columnType(dialect, kind)}`)
  }
}

/** Whether there is a ledger, for those who only look. */
export async function hasLedger(database: LedgerDatabase): Promise<boolean> {
  return (await versionOf(database, ledgerDialect(database.dialect))) > 0
}

async function versionOf(database: LedgerDatabase, dialect: LedgerDialect): Promise<number> {
  if ((await columnNames(database, dialect, 'migration_ledger')).size === 0) return 0
  const [row] = await database.all('SELECT MAX(version) FROM migration_ledger')
  return Number(row?.[0] ?? 0)
}

async function columnNames(
  database: LedgerDatabase,
  dialect: LedgerDialect,
  table: string,
): Promise<ReadonlySet<string>> {
  const rows = await database.all(dialect.columns, [table])
  return new Set(rows.map(([name]) => String(name).toLowerCase()))
}

async function runDdl(database: LedgerDatabase, sql: string): Promise<void> {
  try {
    await database.batch([{ sql, parameters: [] }])
  } catch (error) {
    // Two that prepare the same ledger at the same moment: whatever the other one made is there.
    if (/already exists|duplicate (?:column|key)|exists already/i.test((error as Error).message)) return
    throw error
  }
}

function tables(dialect: LedgerDialect): readonly string[] {
  const { id, integer, name, time, currentTime } = dialect.types
  const list = (columns: Columns): string =>
    Object.entries(columns)
      .map(([column, kind]) => `${column} ${columnType(dialect, kind)}`)
      .join(', ')
  return [
    `CREATE TABLE IF NOT EXISTS migration_ledger (version ${integer} NOT NULL)`,
    `CREATE TABLE IF NOT EXISTS migration_tokens (token ${name} NOT NULL PRIMARY KEY)`,
    `CREATE TABLE IF NOT EXISTS migration_runs (run_id ${integer} NOT NULL PRIMARY KEY, ${list(RUN_COLUMNS)})`,
    `CREATE TABLE IF NOT EXISTS migration_plans (schema_name ${name} NOT NULL, table_name ${name} NOT NULL, ${list(PLAN_COLUMNS)},
      PRIMARY KEY (schema_name, table_name))`,
    `CREATE TABLE IF NOT EXISTS migration_checkpoints (id ${id}, ${list(SEED_COLUMNS)},
      created_at ${time} DEFAULT ${currentTime}, ${list(CHUNK_COLUMNS)})`,
    `CREATE TABLE IF NOT EXISTS migration_chunk_history (id ${integer}, ${list(SEED_COLUMNS)},
      created_at ${time}, ${list(CHUNK_COLUMNS)}, reason ${name}, retired_ms ${integer})`,
    `CREATE TABLE IF NOT EXISTS migration_repairs (repair_id ${name} NOT NULL PRIMARY KEY, ${list(REPAIR_COLUMNS)})`,
    `CREATE TABLE IF NOT EXISTS migration_quarantine (quarantine_id ${name} NOT NULL PRIMARY KEY, ${list(QUARANTINE_COLUMNS)})`,
  ]
}

function indexes(dialect: string): readonly string[] {
  const columns = '(table_name, schema_name, status)'
  // MySQL knows no IF NOT EXISTS here; that it is there already is one of the answers `runDdl` takes.
  const guard = dialect === 'mysql' ? '' : 'IF NOT EXISTS '
  return [`CREATE INDEX ${guard}migration_checkpoints_by_table ON migration_checkpoints ${columns}`]
}

function columnType({ types }: LedgerDialect, kind: ColumnKind): string {
  return kind === 'counter' ? `${types.integer} DEFAULT 0` : types[kind]
}

/** The columns that move to the history with a chunk. */
export const CHUNK_COLUMN_NAMES: readonly string[] = [
  'id',
  ...Object.keys(SEED_COLUMNS),
  'created_at',
  ...Object.keys(CHUNK_COLUMNS),
]
