/** Reads a stream's history from the ledger: tables, changes, comparisons, repairs, and why it is halted. */
import { tableText } from '../../../model/copy/column-type.ts'
import { positionOf } from '../../../model/copy/position.ts'
import { dec } from '../../../model/run/event.ts'
import type { StreamHistory, StreamProof, StreamTableHistory } from '../../../model/follow/sign-off.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import { ledgerDialect } from '../../../stores/ledger-dialect.ts'
import type { SqlValue } from '../../../model/run/sql-port.ts'
import {
  totalChanges,
  joinedApplyWorkers,
  APPLY_WORKER_COLUMNS,
  applyWorkerOf,
  type StreamRow,
} from '../../copy/ledger/stream-row.ts'
import { SignOffLedger } from '../ledger/sign-offs.ts'

/** @throws what the database throws */
export async function streamHistory(
  database: LedgerDatabase,
  { id, status, faults }: Pick<StreamRow, 'id' | 'status' | 'faults'>,
): Promise<StreamHistory> {
  const [row = []] = await database.all('SELECT created_ms, ended_ms FROM migration_streams WHERE stream_id = ?', [id])
  const begunMs = Number(row[0])
  const applyWorkerRows = await database.all(
    `SELECT ${APPLY_WORKER_COLUMNS} FROM migration_stream_lanes WHERE stream_id = ? ORDER BY lane`,
    [id],
  )
  const worker =
    applyWorkerRows.length === 0
      ? null
      : joinedApplyWorkers(applyWorkerRows.map(applyWorkerOf), { position: positionOf })
  return {
    stream: id,
    status,
    begunAt: isoOf(begunMs),
    endedAt: row[1] == null ? null : isoOf(row[1]),
    position: worker?.position ?? null,
    transactions: dec(worker?.transactions ?? 0),
    committedAt: worker?.commitMs == null ? null : isoOf(worker.commitMs),
    tables: await tablesOf(database, id, begunMs, worker?.counts ?? {}),
    proofs: await proofsOf(database, id),
    faults,
    signOffs: await signOffsOf(database, id),
  }
}

async function tablesOf(
  database: LedgerDatabase,
  id: string,
  begunMs: number,
  counts: ReturnType<typeof applyWorkerOf>['counts'],
): Promise<readonly StreamTableHistory[]> {
  const rows = await database.all(
    'SELECT schema_name, table_name, source_table, state FROM migration_stream_tables WHERE stream_id = ? ORDER BY schema_name, table_name',
    [id],
  )
  const repaired = await database.all(
    `SELECT schema_name, table_name, COUNT(*), SUM(CASE WHEN undone_ms IS NULL THEN 0 ELSE 1 END) FROM migration_repairs WHERE repaired_ms >= ? GROUP BY schema_name, table_name`,
    [begunMs],
  )
  const byTable = new Map(
    repaired.map(([schema, name, all, undone]) => [JSON.stringify([schema, name]), [all, undone]]),
  )
  return rows.map(([schema, name, source, state]) => {
    const { inserts, updates, deletes, truncates } = totalChanges(counts[String(source)])
    const [all = 0, undone = 0] = byTable.get(JSON.stringify([schema, name])) ?? []
    return {
      table: String(source),
      state: String(state),
      inserts: dec(inserts),
      updates: dec(updates),
      deletes: dec(deletes),
      truncates: dec(truncates),
      mended: String(all),
      undone: String(undone),
    }
  })
}

async function proofsOf(database: LedgerDatabase, id: string): Promise<readonly StreamProof[]> {
  const { castText: text } = ledgerDialect(database.dialect).types
  const rows = await database.all(
    `SELECT t.source_table, p.schema_name, p.table_name, CAST(p.run_id AS ${text}), p.proved_ms, p.log_position, CAST(p.source_rows AS ${text}),
       CAST(p.target_rows AS ${text}), CAST(p.differing AS ${text}), CAST(p.unread AS ${text}), p.pause_ms, p.took_ms
     FROM migration_stream_proofs p LEFT JOIN migration_stream_tables t
       ON t.stream_id = p.stream_id AND t.schema_name = p.schema_name AND t.table_name = p.table_name
     WHERE p.stream_id = ? ORDER BY p.proved_ms, p.schema_name, p.table_name, p.proof_id`,
    [id],
  )
  return rows.map(([source, schema, name, run, at, position, source_, target, differing, unread, pauseMs, ms]) => ({
    table: source == null ? tableText({ schema: String(schema), name: String(name) }) : String(source),
    run: String(run),
    at: isoOf(at),
    position: String(position),
    rows: String(source_),
    targetRows: String(target),
    differing: String(differing),
    unread: String(unread),
    pauseMs: Number(pauseMs),
    ms: Number(ms),
  }))
}

async function signOffsOf(database: LedgerDatabase, id: string): Promise<StreamHistory['signOffs']> {
  if (!(await new SignOffLedger(database).exists())) return []
  const rows = await database.all(
    `SELECT sign_off_id, ended_ms, signed_by, status, log_position FROM migration_sign_offs
     WHERE stream_id = ? AND status IN ('given', 'refused') ORDER BY ended_ms, sign_off_id`,
    [id],
  )
  return rows.map(([one, at, by, status, position]) => ({
    id: String(one),
    at: isoOf(at),
    by: String(by),
    verdict: status === 'given' ? 'given' : 'refused',
    position: position == null ? null : String(position),
  }))
}

export function isoOf(ms: SqlValue | undefined): string {
  return new Date(Number(ms)).toISOString()
}
