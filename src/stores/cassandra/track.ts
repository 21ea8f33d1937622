/** The tables of the Cassandra Data Migrator in a keyspace. */
import type { types } from 'cassandra-driver'
import { trackStatus, type TrackedRange, type TrackedRun, type TrackStore } from '../../model/copy/track-port.ts'
import type { CassandraLink } from './connect.ts'
import { createTable, refuseOtherColumns, type DeclaredTable } from './declared-table.ts'
import { askingCassandra, type FailedAction } from './errors.ts'
import { quotedName } from '../../shared/sql-text.ts'

const RUN_COLUMNS = 'table_name, run_id, run_type, prev_run_id, start_time, end_time, run_info, status'
/**
 * Rows that are written at the same time, without a batch: a batch of many partitions would put the load on one server.
 */
const AT_ONCE = 32

const TABLES: readonly DeclaredTable[] = [
  {
    name: 'cdm_run_info',
    columns: {
      table_name: 'text',
      run_id: 'bigint',
      run_type: 'text',
      prev_run_id: 'bigint',
      start_time: 'timestamp',
      end_time: 'timestamp',
      run_info: 'text',
      status: 'text',
    },
    partition: ['table_name'],
    clustering: ['run_id'],
  },
  {
    name: 'cdm_run_details',
    columns: {
      table_name: 'text',
      run_id: 'bigint',
      start_time: 'timestamp',
      token_min: 'bigint',
      token_max: 'bigint',
      status: 'text',
      run_info: 'text',
    },
    partition: ['table_name', 'run_id'],
    clustering: ['token_min'],
  },
]

export class CqlTrack implements TrackStore {
  readonly #link: CassandraLink
  readonly #keyspace: string
  readonly #info: string
  readonly #details: string

  constructor(link: CassandraLink, keyspace: string) {
    this.#link = link
    this.#keyspace = keyspace
    this.#info = `${quotedName(keyspace)}.cdm_run_info`
    this.#details = `${quotedName(keyspace)}.cdm_run_details`
  }

  async prepare(): Promise<void> {
    await this.#refuseOthers()
    for (const table of TABLES) await this.#run('schema', createTable(this.#keyspace, table))
    // Another program may have created one of these tables with other columns in the meantime: check again.
    await this.#refuseOthers()
  }

  async #refuseOthers(): Promise<void> {
    await askingCassandra(this.#link, 'read', () => refuseOtherColumns(this.#link, this.#keyspace, TABLES))
  }

  async runs(table: string): Promise<readonly TrackedRun[]> {
    const rows = await this.#ask(`SELECT ${RUN_COLUMNS} FROM ${this.#info} WHERE table_name = ? ORDER BY run_id DESC`, [
      table,
    ])
    return rows.map((row) => ({
      table,
      runId: whole(row['run_id']),
      type: row['run_type'] === 'VALIDATE' ? 'VALIDATE' : 'MIGRATE',
      previous: whole(row['prev_run_id']),
      started: timestampMs(row['start_time']) ?? 0,
      ended: timestampMs(row['end_time']),
      info: text(row['run_info']),
      status: trackStatus(row['status']),
    }))
  }

  async ranges(table: string, runId: bigint): Promise<readonly TrackedRange[]> {
    const rows = await this.#ask(
      `SELECT token_min, token_max, status, run_info, start_time FROM ${this.#details}
       WHERE table_name = ? AND run_id = ? ORDER BY token_min`,
      [table, runId],
    )
    return rows.map((row) => ({
      low: whole(row['token_min']),
      high: whole(row['token_max']),
      status: trackStatus(row['status']),
      info: text(row['run_info']),
      started: timestampMs(row['start_time']),
    }))
  }

  async putRun(run: TrackedRun): Promise<void> {
    await this.#insert(this.#info, {
      table_name: run.table,
      run_id: run.runId,
      run_type: run.type,
      prev_run_id: run.previous,
      start_time: new Date(run.started),
      status: run.status,
      end_time: run.ended === null ? null : new Date(run.ended),
      run_info: run.info,
    })
  }

  async putRanges(table: string, runId: bigint, ranges: readonly TrackedRange[]): Promise<void> {
    for (let at = 0; at < ranges.length; at += AT_ONCE) {
      await Promise.all(ranges.slice(at, at + AT_ONCE).map((range) => this.#putRange(table, runId, range)))
    }
  }

  async #putRange(table: string, runId: bigint, { low, high, status, info, started }: TrackedRange): Promise<void> {
    await this.#insert(this.#details, {
      table_name: table,
      run_id: runId,
      token_min: low,
      token_max: high,
      status,
      run_info: info,
      start_time: started === null ? null : new Date(started),
    })
  }

  /** Leaves out columns whose value is null. */
  async #insert(table: string, values: Readonly<Record<string, unknown>>): Promise<void> {
    const given = Object.entries(values).filter(([, value]) => value !== null)
    const names = given.map(([name]) => name).join(', ')
    const cql = `INSERT INTO ${table} (${names}) VALUES (${given.map(() => '?').join(', ')})`
    await this.#run(
      'write',
      cql,
      given.map(([, value]) => value),
    )
  }

  async #ask(cql: string, parameters: readonly unknown[]): Promise<readonly types.Row[]> {
    const { client, readLevel } = this.#link
    const options = { prepare: true, autoPage: true, consistency: readLevel, isIdempotent: true }
    return await askingCassandra(this.#link, 'read', async () => {
      const rows: types.Row[] = []
      for await (const row of await client.execute(cql, [...parameters], options)) rows.push(row)
      return rows
    })
  }

  async #run(doing: FailedAction, cql: string, parameters: readonly unknown[] = []): Promise<void> {
    const { client, writeLevel } = this.#link
    const options = { prepare: doing === 'write', consistency: writeLevel, isIdempotent: true }
    await askingCassandra(this.#link, doing, () => client.execute(cql, [...parameters], options))
  }
}

/** With `useBigIntAsLong` the driver returns bigints. */
function whole(value: unknown): bigint {
  return typeof value === 'bigint' ? value : 0n
}

function timestampMs(value: unknown): number | null {
  return value instanceof Date ? value.getTime() : null
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}
