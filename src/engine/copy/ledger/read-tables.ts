/** Ledger records per table, for read-only commands: its copy, the proved chunks, its stream. */
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import type { SqlValue } from '../../../model/run/sql-port.ts'
import { ledgerDialect } from '../../../stores/ledger-dialect.ts'
import { CLOSED } from './stored-chunk.ts'
import { bigintOf, textOrNull, numberOrNull } from '../../../stores/common/cells.ts'

export type FilledTable = {
  /** Rows in its chunks, counted when they were written. */
  readonly rows: bigint
  readonly chunks: bigint
  /** Completed chunks without quarantined rows. */
  readonly done: bigint
  /** Chunks whose checksums of both sides were equal at completion. */
  readonly proved: bigint
  /** Completion of the last chunk, ms since the epoch; null if none is completed. */
  readonly lastMs: number | null
  /** Source URL without password; null if its run is no longer recorded. */
  readonly source: string | null
}

export type TargetStream = { readonly stream: string; readonly status: string; readonly state: string }

/** @returns tables by `ledgerTableKey` */
export async function filledTables(database: LedgerDatabase): Promise<ReadonlyMap<string, FilledTable>> {
  const { castText: text } = ledgerDialect(database.dialect).types
  const rows = await database.all(
    `SELECT g.schema_name, g.table_name, CAST(g.chunks AS ${text}), CAST(g.done AS ${text}), CAST(g.proved AS ${text}),
       CAST(g.written AS ${text}), CAST(g.last_ms AS ${text}), r.source
     FROM (
       SELECT schema_name, table_name, COUNT(*) AS chunks, SUM(CASE WHEN status = 'completed' THEN 1 ELSE 0 END) AS done,
         SUM(CASE WHEN status = 'completed' AND proof IN ('echo', 'canonical', 'table') AND COALESCE(target_checksum, '') <> '' THEN 1 ELSE 0 END) AS proved,
         COALESCE(SUM(rows_written), 0) AS written, MAX(completed_ms) AS last_ms, MAX(run_id) AS last_run
       FROM migration_checkpoints GROUP BY schema_name, table_name
     ) g LEFT JOIN migration_runs r ON r.run_id = g.last_run`,
    [],
  )
  return new Map(
    rows.map(([schema, table, chunks, done, proved, written, last, source]) => [
      ledgerTableKey(schema, table),
      {
        rows: bigintOf(written),
        chunks: bigintOf(chunks),
        done: bigintOf(done),
        proved: bigintOf(proved),
        lastMs: numberOrNull(last),
        source: textOrNull(source),
      },
    ]),
  )
}

/** Streams that have not ended, by the target tables that they write to. */
export async function streamsByTable(database: LedgerDatabase): Promise<ReadonlyMap<string, TargetStream>> {
  const { castText: text } = ledgerDialect(database.dialect).types
  const rows = await database.all(
    `SELECT t.schema_name, t.table_name, CAST(s.stream_id AS ${text}), s.status, t.state
     FROM migration_stream_tables t JOIN migration_streams s ON s.stream_id = t.stream_id WHERE s.status <> 'ended'`,
    [],
  )
  return new Map(
    rows.map(([schema, table, stream, status, state]) => [
      ledgerTableKey(schema, table),
      { stream: String(stream), status: String(status), state: String(state) },
    ]),
  )
}

/** Key of a table; the schema is empty if the system has none. */
export function ledgerTableKey(schema: SqlValue | undefined, table: SqlValue | undefined): string {
  return JSON.stringify([schema == null ? '' : String(schema), String(table)])
}

/**
 * Numbers of a table's unfinished chunks within a range of numbers, for read-only callers.
 * @param table of the source, as events name it
 * @returns null if the ledger has no plan of the table
 */
export async function openChunks(
  database: LedgerDatabase,
  table: string,
  { from, to }: { readonly from: number; readonly to: number },
): Promise<ReadonlySet<string> | null> {
  const [plan] = await database.all('SELECT 1 FROM migration_plans WHERE source_table = ?', [table])
  if (plan === undefined) return null
  const rows = await database.all(
    `SELECT c.chunk_no FROM migration_checkpoints c
     JOIN migration_plans p ON p.schema_name = c.schema_name AND p.table_name = c.table_name
     WHERE p.source_table = ? AND c.chunk_no BETWEEN ? AND ? AND NOT ${CLOSED}`,
    [table, from, to],
  )
  return new Set(rows.map(([no]) => String(no)))
}
