/** The tables of the Cassandra Data Migrator in a keyspace. */
import type { types } from 'cassandra-driver'
import type { TrackedRange, TrackedRun, TrackStore } from '../../model/copy/track-port.ts'
import { trackStatus } from '../../model/copy/track-port.ts'
import type { CassandraLink } from './connect.ts'
import { createTable, refuseOtherShapes, type DeclaredTable } from './declared-table.ts'
import { cassandraError, type Doing } from './errors.ts'
import { quotedName } from '../../shared/sql-text.ts'

const RUN_COLUMNS = 'table_name, run_id, run_type, prev_run_id, start_time, end_time, run_info, status'
/** Rows that are written at the same time. Not as a batch, which with many partitions puts the load on one server. */
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
    // Another program may have created a table of that name since.
    await this.#refuseOthers()
  }

  async #refuseOthers(): Promise<void> {
    const { settings } = this.#link
    try {
      await refuseOtherShapes(this.#link, this.#keyspace, TABLES)
    } catch (error) {
      throw cassandraError(error, settings, 'read')
    }
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
    const { table, runId, type, previous, started, ended, info, status } = run
    const more = [...(ended === null ? [] : ['end_time']), ...(info === null ? [] : ['run_info'])]
    const names = ['table_name', 'run_id', 'run_type', 'prev_run_id', 'start_time', 'status', ...more]
    await this.#run(
      'write',
      `INSERT INTO ${this.#info} (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`,
      [
        table,
        runId,
        type,
        previous,
        new Date(started),
        status,
        ...(ended === null ? [] : [new Date(ended)]),
        ...(info === null ? [] : [info]),
      ],
    )
  }

  async putRanges(table: string, runId: bigint, ranges: readonly TrackedRange[]): Promise<void> {
    for (let at = 0; at < ranges.length; at += AT_ONCE) {
      await Promise.all(ranges.slice(at, at + AT_ONCE).map((range) => this.#putRange(table, runId, range)))
    }
  }

  async #putRange(table: string, runId: bigint, { low, high, status, info, started }: TrackedRange): Promise<void> {
    const names = [
      'table_name',
      'run_id',
      'token_min',
      'token_max',
      'status',
      ...(info === null ? [] : ['run_info']),
      ...(started === null ? [] : ['start_time']),
    ]
    await this.#run(
      'write',
      `INSERT INTO ${this.#details} (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`,
      [
        table,
        runId,
        low,
        high,
        status,
        ...(info === null ? [] : [info]),
        ...(started === null ? [] : [new Date(started)]),
      ],
    )
  }

  async #ask(cql: string, parameters: readonly unknown[]): Promise<readonly types.Row[]> {
    const { client, readLevel, settings } = this.#link
    try {
      const options = { prepare: true, autoPage: true, consistency: readLevel, isIdempotent: true }
      const rows: types.Row[] = []
      for await (const row of await client.execute(cql, [...parameters], options)) rows.push(row)
      return rows
    } catch (error) {
      throw cassandraError(error, settings, 'read')
    }
  }

  async #run(doing: Doing, cql: string, parameters: readonly unknown[] = []): Promise<void> {
    const { client, writeLevel, settings } = this.#link
    try {
      const prepare = doing === 'write'
      await client.execute(cql, [...parameters], { prepare, consistency: writeLevel, isIdempotent: true })
    } catch (error) {
      throw cassandraError(error, settings, doing)
    }
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
