/**
 * Relations of the scratch database with the rows of log and catalog. The validator replays in DuckDB's SQL, because
 * the importer replays in JavaScript: two different implementations are unlikely to have the same bug.
 */
import { SluiceError } from '../../shared/errors.ts'
import type { SqlDatabase, SqlRow, SqlTransaction } from '../../model/run/sql-port.ts'
import { countOf } from '../count-rows.ts'

/** Source of a log line, and its effect. */
export const LINE_SOURCE = {
  /** A commit above the base: replayed. */
  commit: 0,
  /** The base checkpoint: the state from which the replay starts. */
  base: 1,
  /** Another checkpoint, kept only during its comparison with the replay. */
  witness: 2,
  /** A commit at or below the base: kept byte for byte, without effect on files. */
  history: 3,
} as const

const TABLES = `
CREATE SEQUENCE difference_ids;
CREATE TABLE packed (body VARCHAR);
CREATE TABLE piece (version BIGINT, source BIGINT, first_line BIGINT, body BLOB);
CREATE TABLE line (version BIGINT, source BIGINT, line BIGINT, text VARCHAR, raw VARCHAR, digest VARCHAR);
CREATE TABLE log_file (version BIGINT, source BIGINT, bytes BIGINT, digest VARCHAR, modified BIGINT);
CREATE TABLE log_add (
  version BIGINT, source BIGINT, line BIGINT, path VARCHAR, dv_id VARCHAR, size BIGINT, modification_time BIGINT, num_records BIGINT,
  cardinality BIGINT, data_change VARCHAR, partition_values VARCHAR, stats VARCHAR, stats_parsed VARCHAR, tags VARCHAR, deletion_vector VARCHAR,
  base_row_id BIGINT, default_row_commit_version BIGINT, clustering_provider VARCHAR, digest VARCHAR);
CREATE TABLE log_remove (
  version BIGINT, source BIGINT, line BIGINT, path VARCHAR, dv_id VARCHAR, deletion_timestamp BIGINT, size BIGINT, partition_values VARCHAR);
CREATE TABLE log_other (version BIGINT, source BIGINT, line BIGINT, kind VARCHAR, raw VARCHAR);
CREATE TABLE path_key (path VARCHAR, key VARCHAR);
CREATE TABLE difference (
  id BIGINT, "check" VARCHAR, version BIGINT, path VARCHAR, field VARCHAR, mode VARCHAR, log VARCHAR, catalog VARCHAR);
`

export async function prepareScratch(scratch: SqlDatabase): Promise<void> {
  await scratch.write((transaction) => transaction.script(TABLES))
}

/**
 * Runs statements in one transaction. Their results are not streamed: DuckDB ends a result stream without an error if
 * the query fails.
 * @returns number of changed rows
 */
export async function runAll(scratch: SqlDatabase, statements: readonly string[]): Promise<number> {
  return scratch.write(async (transaction) => {
    let changed = 0
    for (const statement of statements) changed += await transaction.run(statement)
    return changed
  })
}

/** Loads rows and checks by a separate count that all of them arrived. */
export async function loadCounted(
  transaction: SqlTransaction,
  table: string,
  columns: readonly string[],
  rows: readonly SqlRow[],
): Promise<void> {
  if (rows.length === 0) return
  const before = await countOf(transaction, table)
  await transaction.load(table, columns, rows)
  const arrived = (await countOf(transaction, table)) - before
  if (arrived !== rows.length) {
    throw new SluiceError('INTERNAL', `scratch table ${table} received ${arrived} of ${rows.length} rows`)
  }
}

/**
 * Separators of a packed page, and its NULL mark. JSON and normal paths never have them; a page that has them is loaded
 * cell by cell.
 */
const [NOTHING, ROW, CELL] = ['\x1d', '\x1e', '\x1f']

/**
 * Loads rows of text as one text that DuckDB splits, several times faster than cell by cell. If a value has a
 * separator, the counts differ, and the page is loaded cell by cell instead.
 */
export async function loadPacked(
  scratch: SqlDatabase,
  table: string,
  columns: readonly string[],
  rows: readonly (readonly (string | null)[])[],
): Promise<void> {
  if (rows.length === 0) return
  const body = rows.map((row) => row.map((value) => value ?? NOTHING).join(CELL)).join(ROW)
  const cells = columns.map((_, i) => `nullif(cells[${i + 1}], chr(29))`).join(', ')
  const whole = await scratch.write(async (transaction) => {
    await transaction.load('packed', ['body'], [[body]])
    await transaction.run(
      `CREATE OR REPLACE TEMP TABLE unpacked AS SELECT string_split(unnest(string_split(body, chr(30))), chr(31)) AS cells FROM packed`,
    )
    await transaction.run('DELETE FROM packed')
    const [row] = await transaction.all('SELECT count(*), bool_and(len(cells) = ?) FROM unpacked', [columns.length])
    if (Number(row?.[0]) !== rows.length || row?.[1] !== 1 || rows.some((one) => one.includes(NOTHING))) return false
    const inserted = await transaction.run(`INSERT INTO ${table} SELECT ${cells} FROM unpacked`)
    if (inserted !== rows.length)
      throw new SluiceError('INTERNAL', `scratch table ${table} received ${inserted} of ${rows.length} rows`)
    return true
  })
  if (!whole) await scratch.write((transaction) => loadCounted(transaction, table, columns, rows))
}
