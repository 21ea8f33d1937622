/** Tables of the Cassandra Data Migrator in a schema of PostgreSQL, or of YugabyteDB's YSQL; times are UTC. */
import { quotedName } from '../../../shared/sql-text.ts'
import type { LedgerDatabase, Statement } from '../../../model/run/ledger-port.ts'
import type { SqlValue } from '../../../model/run/sql-port.ts'
import { refuseForeignTracks } from '../../common/ledger-tables.ts'
import { trackStatus, type TrackedRange, type TrackedRun, type TrackStore } from '../../../model/copy/track-port.ts'
import { numberOrNull, textOrNull, bigintOf } from '../../common/cells.ts'

/** Maximum number of rows in a statement, and of statements in a transaction. */
const ROWS_A_STATEMENT = 100
const STATEMENTS_A_BATCH = 20

export class PostgresTrack implements TrackStore {
  readonly #database: LedgerDatabase
  readonly #schema: string
  readonly #info: string
  readonly #details: string

  constructor(database: LedgerDatabase, schema: string) {
    this.#database = database
    this.#schema = schema
    const quoted = quotedName(schema)
    this.#info = `${quoted}.cdm_run_info`
    this.#details = `${quoted}.cdm_run_details`
  }

  async prepare(): Promise<void> {
    const quoted = quotedName(this.#schema)
    await refuseForeignTracks(this.#database, this.#schema)
    const there = await this.#database.all('SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = ?', [this.#schema])
    // A role without the right to create schemas may still write into an existing one.
    if (there.length === 0) await this.#make(`CREATE SCHEMA IF NOT EXISTS ${quoted}`)
    await this.#make(
      `CREATE TABLE IF NOT EXISTS ${this.#info} (table_name TEXT, run_id BIGINT, run_type TEXT, prev_run_id BIGINT,
        start_time TIMESTAMP, end_time TIMESTAMP, run_info TEXT, status TEXT, PRIMARY KEY (table_name, run_id))`,
    )
    await this.#make(
      `CREATE TABLE IF NOT EXISTS ${this.#details} (table_name TEXT, run_id BIGINT, start_time TIMESTAMP, token_min BIGINT,
        token_max BIGINT, status TEXT, run_info TEXT, PRIMARY KEY (table_name, run_id, token_min))`,
    )
    // Since the first check, another role may have created a table with one of these names.
    await refuseForeignTracks(this.#database, this.#schema)
  }

  async runs(table: string): Promise<readonly TrackedRun[]> {
    const rows = await this.#database.all(
      `SELECT CAST(run_id AS TEXT), run_type, CAST(prev_run_id AS TEXT), ${epoch('start_time')}, ${epoch('end_time')}, run_info, status
       FROM ${this.#info} AS info WHERE table_name = ? ORDER BY info.run_id DESC`,
      [table],
    )
    return rows.map(([runId, type, previous, started, ended, info, status]) => ({
      table,
      runId: BigInt(String(runId)),
      type: type === 'VALIDATE' ? 'VALIDATE' : 'MIGRATE',
      previous: bigintOf(previous),
      started: numberOrNull(started) ?? 0,
      ended: numberOrNull(ended),
      info: textOrNull(info),
      status: trackStatus(status),
    }))
  }

  async ranges(table: string, runId: bigint): Promise<readonly TrackedRange[]> {
    const rows = await this.#database.all(
      `SELECT CAST(token_min AS TEXT), CAST(token_max AS TEXT), status, run_info, ${epoch('start_time')}
       FROM ${this.#details} AS details WHERE table_name = ? AND run_id = ? ORDER BY details.token_min`,
      [table, runId],
    )
    return rows.map(([low, high, status, info, started]) => ({
      low: BigInt(String(low)),
      high: BigInt(String(high)),
      status: trackStatus(status),
      info: textOrNull(info),
      started: numberOrNull(started),
    }))
  }

  async putRun({ table, runId, type, previous, started, ended, info, status }: TrackedRun): Promise<void> {
    await this.#database.batch([
      {
        sql: `INSERT INTO ${this.#info} AS now (table_name, run_id, run_type, prev_run_id, start_time, end_time, run_info, status)
              VALUES (?, ?, ?, ?, CAST(? AS timestamp), CAST(? AS timestamp), ?, ?)
              ON CONFLICT (table_name, run_id) DO UPDATE SET run_type = EXCLUDED.run_type, prev_run_id = EXCLUDED.prev_run_id,
                start_time = EXCLUDED.start_time, end_time = COALESCE(EXCLUDED.end_time, now.end_time),
                run_info = COALESCE(EXCLUDED.run_info, now.run_info), status = EXCLUDED.status`,
        parameters: [table, runId, type, previous, iso(started), iso(ended), info, status],
      },
    ])
  }

  async putRanges(table: string, runId: bigint, ranges: readonly TrackedRange[]): Promise<void> {
    const statements: Statement[] = []
    for (let at = 0; at < ranges.length; at += ROWS_A_STATEMENT) {
      const some = ranges.slice(at, at + ROWS_A_STATEMENT)
      statements.push({
        sql: `INSERT INTO ${this.#details} AS now (table_name, run_id, start_time, token_min, token_max, status, run_info)
              VALUES ${some.map(() => '(?, ?, CAST(? AS timestamp), ?, ?, ?, ?)').join(', ')}
              ON CONFLICT (table_name, run_id, token_min) DO UPDATE SET start_time = COALESCE(EXCLUDED.start_time, now.start_time),
                token_max = EXCLUDED.token_max, status = EXCLUDED.status, run_info = COALESCE(EXCLUDED.run_info, now.run_info)`,
        parameters: some.flatMap(({ low, high, status, info, started }): SqlValue[] => [
          table,
          runId,
          iso(started),
          low,
          high,
          status,
          info,
        ]),
      })
    }
    for (let at = 0; at < statements.length; at += STATEMENTS_A_BATCH)
      await this.#database.batch(statements.slice(at, at + STATEMENTS_A_BATCH))
  }

  /** If another session creates the same table at the same time, the table exists: that error is ignored. */
  async #make(sql: string): Promise<void> {
    try {
      await this.#database.batch([{ sql, parameters: [] }])
    } catch (error) {
      if (!/already exists|duplicate key/i.test((error as Error).message)) throw error
    }
  }
}

function epoch(column: string): string {
  return `CAST(FLOOR(EXTRACT(EPOCH FROM ${column}) * 1000) AS TEXT)`
}

function iso(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString().slice(0, -1)
}
