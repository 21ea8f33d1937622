/** Streams in the ledger of the target: source, start, and progress of each table. Leases are in stream-lease.ts. */
import { randomUUID } from 'node:crypto'
import type { LogPosition } from '../../../model/copy/change.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { LedgerDatabase, Statement } from '../../../model/run/ledger-port.ts'
import type { StreamStart, StreamFault } from '../../../model/follow/port.ts'
import { LEASE_COLUMNS, ownerColumns, ownerValues } from '../../../stores/common/lease/columns.ts'
import { ledgerDialect } from '../../../stores/ledger-dialect.ts'
import { COPY_LEASE_MS, type RunOwner, type TableKey } from './owner.ts'
import { makeLateTable } from './late-tables.ts'
import { RereadLedger } from './rereads.ts'
import {
  APPLY_WORKER_COLUMNS,
  joinedApplyWorkers,
  applyWorkerOf,
  type ApplyWorkerRow,
  type StreamRow,
  type StreamStatus,
  type StreamTable,
  type StreamTableState,
} from './stream-row.ts'
import { StreamLease, streamLost } from './stream-lease.ts'
import { hasStreams } from './stream-lookup.ts'
import { runStatement } from './statement.ts'

const TABLES = [
  'migration_streams',
  'migration_stream_lanes',
  'migration_stream_tables',
  'migration_stream_rereads',
  'migration_stream_proofs',
] as const

/** Conversion of source positions to text and back. */
export type Positions = {
  readonly text: (position: LogPosition) => string
  readonly position: (text: string) => LogPosition
}

/**
 * @property position log position in the form of the source
 * @property differing number of rows that differ
 * @property pauseMs time during which no changes were applied, ms
 */
export type StoredStreamProof = {
  readonly position: string
  readonly rows: bigint
  readonly targetRows: bigint
  readonly differing: number
  readonly unread: number
  readonly pauseMs: number
  readonly ms: number
}

export class StreamLedger {
  readonly database: LedgerDatabase
  readonly rereads: RereadLedger
  readonly lease: StreamLease
  readonly #owner: RunOwner
  readonly #now: string

  constructor(database: LedgerDatabase, owner: RunOwner) {
    this.database = database
    this.rereads = new RereadLedger(database)
    this.#owner = owner
    this.lease = new StreamLease(database, owner)
    this.#now = ledgerDialect(database.dialect).now
  }

  /** Creates the tables of streams if the ledger has none. */
  async prepare(): Promise<void> {
    if (await hasStreams(this.database)) return
    // Create `migration_streams` last, because readers test for this table.
    for (const name of TABLES.toReversed()) await makeLateTable(this.database, name)
  }

  /**
   * Records a stream and takes its lease, before publication and replication slot are created. @param also statements
   * of the same transaction
   */
  async begin(
    stream: Pick<StreamRow, 'id' | 'source' | 'sourceIdentity' | 'wishes'>,
    tables: readonly Pick<StreamTable, 'key' | 'source'>[],
    tool: string,
    also: readonly Statement[] = [],
  ): Promise<void> {
    const { id, source, sourceIdentity, wishes } = stream
    await this.database.batch([
      { sql: 'DELETE FROM migration_stream_tables WHERE stream_id = ?', parameters: [id] },
      { sql: 'DELETE FROM migration_streams WHERE stream_id = ?', parameters: [id] },
      {
        sql: `INSERT INTO migration_streams (stream_id, status, run_id, source, source_identity, wishes, tool, created_ms, fence,
                ${ownerColumns(LEASE_COLUMNS).join(', ')}, lease_until)
              VALUES (?, 'begun', ?, ?, ?, ?, ?, ${this.#now}, 1, ?, ?, ?, ?, ?, ${this.#now} + ${COPY_LEASE_MS})`,
        parameters: [id, this.#owner.runId, source, sourceIdentity, wishes, tool, ...ownerValues(this.#owner)],
      },
      ...tables.map(({ key, source: name }): Statement => ({
        sql: `INSERT INTO migration_stream_tables (stream_id, schema_name, table_name, source_table, lane, state, changed_ms)
                VALUES (?, ?, ?, ?, 0, 'copying', ${this.#now})`,
        parameters: [id, key.schema, key.name, name],
      })),
      ...also,
    ])
  }

  /** Call when publication and replication slot exist: the apply worker starts at the slot's position. */
  async recordStart(id: string, startRecord: StreamStart): Promise<void> {
    await this.database.batch([
      { sql: 'DELETE FROM migration_stream_lanes WHERE stream_id = ?', parameters: [id] },
      {
        sql: `INSERT INTO migration_stream_lanes (stream_id, lane, log_position, batches, transactions, counts, fence)
              SELECT stream_id, 0, ?, 0, 0, '{}', fence FROM migration_streams WHERE stream_id = ?`,
        parameters: [startRecord.start, id],
      },
      {
        sql: `UPDATE migration_streams SET status = 'active', birth = ? WHERE stream_id = ? AND owner = ?`,
        parameters: [JSON.stringify(startRecord), id, this.#owner.id],
      },
    ])
  }

  async note(id: string, status: StreamStatus, faults: readonly StreamFault[] = []): Promise<void> {
    const sql = `UPDATE migration_streams SET status = ?, fault = ?, ended_ms = ${status === 'ended' ? this.#now : 'NULL'} WHERE stream_id = ?`
    await runStatement(this.database, sql, [status, faults.length === 0 ? null : JSON.stringify(faults), id])
  }

  /** Records the options with which `follow RUN` continues the stream. */
  async storeOptions(id: string, options: string): Promise<void> {
    const sql = 'UPDATE migration_streams SET wishes = ? WHERE stream_id = ?'
    await runStatement(this.database, sql, [options, id])
  }

  /** Statement that replaces the stored start of a stream. Does nothing if another process has the stream. */
  startStatement(id: string, startRecord: StreamStart): Statement {
    return {
      sql: 'UPDATE migration_streams SET birth = ? WHERE stream_id = ? AND owner = ?',
      parameters: [JSON.stringify(startRecord), id, this.#owner.id],
    }
  }

  /**
   * Statements for tables that were emptied and registered again at the source. The tables are then copied as if the
   * stream had started with them, and the cause of a halt is cleared.
   * @param lanes apply workers with their new counts; the counts of tables that are copied again begin at 0
   */
  resyncStatements(
    id: string,
    startRecord: StreamStart,
    keys: readonly TableKey[],
    workers: readonly Pick<ApplyWorkerRow, 'worker' | 'counts'>[],
  ): readonly Statement[] {
    return [
      {
        sql: `UPDATE migration_streams SET status = 'active', fault = NULL, birth = ? WHERE stream_id = ? AND owner = ?`,
        parameters: [JSON.stringify(startRecord), id, this.#owner.id],
      },
      ...workers.map(({ worker, counts }): Statement => ({
        sql: 'UPDATE migration_stream_lanes SET counts = ? WHERE stream_id = ? AND lane = ?',
        parameters: [JSON.stringify(counts), id, worker],
      })),
      ...keys.flatMap((key): readonly Statement[] => [
        {
          sql: 'DELETE FROM migration_stream_rereads WHERE stream_id = ? AND schema_name = ? AND table_name = ?',
          parameters: [id, key.schema, key.name],
        },
        this.stateStatement(id, key, 'copying', null),
      ]),
    ]
  }

  /** Query that returns a row if the stream has this start position. */
  startQuery(id: string, startRecord: StreamStart): Statement {
    return {
      sql: 'SELECT 1 FROM migration_streams WHERE stream_id = ? AND birth = ?',
      parameters: [id, JSON.stringify(startRecord)],
    }
  }

  /** Statement that records that the tables of a stream are emptied; after that the stream ends. */
  emptiedStatement(id: string): Statement {
    return {
      sql: `UPDATE migration_streams SET fault = NULL, ended_ms = ${this.#now} WHERE stream_id = ? AND owner = ?`,
      parameters: [id, this.#owner.id],
    }
  }

  /** Query that returns a row once `emptiedStatement` has run. */
  emptiedQuery(id: string): Statement {
    return { sql: 'SELECT 1 FROM migration_streams WHERE stream_id = ? AND ended_ms IS NOT NULL', parameters: [id] }
  }

  /** Tables that are not copied completely. */
  async toCopy(id: string): Promise<readonly Pick<StreamTable, 'key' | 'source'>[]> {
    const rows = await this.database.all(
      `SELECT schema_name, table_name, source_table FROM migration_stream_tables
       WHERE stream_id = ? AND state IN ('copying', 'resync') ORDER BY schema_name, table_name`,
      [id],
    )
    return rows.map(([schema, name, source]) => ({
      key: { schema: String(schema), name: String(name) },
      source: String(source),
    }))
  }

  async tables(id: string, positions: Positions): Promise<readonly StreamTable[]> {
    const rows = await this.database.all(
      'SELECT schema_name, table_name, source_table, lane, state, fence_position FROM migration_stream_tables WHERE stream_id = ? ORDER BY schema_name, table_name',
      [id],
    )
    return rows.map(([schema, name, source, worker, state, fence]) => ({
      key: { schema: String(schema), name: String(name) },
      source: String(source),
      worker: Number(worker),
      state: String(state) as StreamTableState,
      fence: fence == null ? null : positions.position(String(fence)),
    }))
  }

  /** Apply workers of the stream, by number. @throws SluiceError LEDGER_DAMAGED if the stream has none */
  async applyWorkers(id: string): Promise<readonly ApplyWorkerRow[]> {
    const sql = `SELECT ${APPLY_WORKER_COLUMNS} FROM migration_stream_lanes WHERE stream_id = ? ORDER BY lane`
    const rows = await this.database.all(sql, [id])
    if (rows.length > 0) return rows.map(applyWorkerOf)
    throw new SluiceError('LEDGER_DAMAGED', `stream ${id} has no position in migration_stream_lanes`, {
      hint: `changes may be missing: end the stream with sluice follow ${id} --end, and copy again`,
    })
  }

  /**
   * Progress of the stream: position of its slowest apply worker, and counts of all. @throws SluiceError LEDGER_DAMAGED
   */
  async progress(id: string, positions: Positions): Promise<ApplyWorkerRow> {
    return joinedApplyWorkers(await this.applyWorkers(id), positions)
  }

  /** Position of a table's apply worker. @throws SluiceError LEDGER_DAMAGED */
  async positionOf(id: string, { schema, name }: TableKey): Promise<string> {
    const [row] = await this.database.all(
      'SELECT lane FROM migration_stream_tables WHERE stream_id = ? AND schema_name = ? AND table_name = ?',
      [id, schema, name],
    )
    const applyWorkers = await this.applyWorkers(id)
    return (applyWorkers.find(({ worker }) => worker === Number(row?.[0] ?? 0)) ?? applyWorkers[0])?.position ?? ''
  }

  /**
   * Assigns the tables of a stream to apply workers again; all workers must be at one position.
   * @param workerOfTable number of the worker of each table, by the table's key
   * @param rows the new workers
   */
  async divide(
    id: string,
    workerOfTable: readonly (readonly [TableKey, number])[],
    rows: readonly ApplyWorkerRow[],
  ): Promise<void> {
    await this.database.batch([
      { sql: 'DELETE FROM migration_stream_lanes WHERE stream_id = ?', parameters: [id] },
      ...rows.map(({ worker, position, batches, commitMs, transactions, counts }): Statement => ({
        sql: `INSERT INTO migration_stream_lanes (stream_id, lane, log_position, batches, commit_ms, transactions, counts, fence)
              SELECT stream_id, ?, ?, ?, ?, ?, ?, fence FROM migration_streams WHERE stream_id = ?`,
        parameters: [worker, position, batches, commitMs, transactions, JSON.stringify(counts), id],
      })),
      ...workerOfTable.map(([{ schema, name }, worker]): Statement => ({
        sql: 'UPDATE migration_stream_tables SET lane = ? WHERE stream_id = ? AND schema_name = ? AND table_name = ?',
        parameters: [worker, id, schema, name],
      })),
    ])
  }

  /**
   * Records the state of tables.
   * @param fence catch-up position in the ledger's form; null while the table is copied
   * @throws SluiceError LEASE_LOST if another process has the stream now
   */
  async noteState(id: string, keys: readonly TableKey[], state: StreamTableState, fence: string | null): Promise<void> {
    if (keys.length === 0) return
    const own = {
      sql: 'SELECT 1 FROM migration_streams s WHERE s.stream_id = ? AND s.owner = ?',
      parameters: [id, this.#owner.id],
    }
    const { shareLocked } = ledgerDialect(this.database.dialect)
    const [held = []] = await this.database.batch([
      { ...own, sql: `${own.sql} ${shareLocked}` },
      ...keys.map((key): Statement => {
        const { sql, parameters } = this.stateStatement(id, key, state, fence)
        return { sql: `${sql} AND EXISTS (${own.sql})`, parameters: [...parameters, ...own.parameters] }
      }),
    ])
    if (held.length === 0) throw streamLost()
  }

  /** `noteState` as a statement, for a batch that checks the fencing token. */
  stateStatement(id: string, key: TableKey, state: StreamTableState, fence: string | null): Statement {
    return {
      sql: `UPDATE migration_stream_tables SET state = ?, fence_position = ?, changed_ms = ${this.#now} WHERE stream_id = ? AND schema_name = ? AND table_name = ?`,
      parameters: [state, fence, id, key.schema, key.name],
    }
  }

  /** Records the result of a comparison of a table. */
  async noteProof(id: string, { schema, name }: TableKey, proof: StoredStreamProof): Promise<void> {
    const sql = `INSERT INTO migration_stream_proofs (proof_id, stream_id, run_id, schema_name, table_name, log_position, source_rows, target_rows, differing, unread, pause_ms, took_ms, proved_ms)
              VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ${this.#now})`
    await runStatement(this.database, sql, [
      randomUUID(),
      id,
      this.#owner.runId,
      schema,
      name,
      proof.position,
      proof.rows,
      proof.targetRows,
      proof.differing,
      proof.unread,
      proof.pauseMs,
      proof.ms,
    ])
  }
}
