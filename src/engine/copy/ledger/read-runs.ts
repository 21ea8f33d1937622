/** Copies into a database, as recorded in its ledger; for read-only commands. */
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import { ledgerDialect } from '../../../stores/ledger-dialect.ts'
import type { ProcessIdentity } from '../../../shared/owner.ts'
import {
  KILLED_RUN,
  KILLED_DETAIL,
  lastChunkOf,
  lastSeenAt,
  livenessOf,
  killedRunRows,
  SILENT_DETAIL,
} from './killed-runs.ts'
import type { SqlValue } from '../../../model/run/sql-port.ts'
import { bigintOf, numberOrNull, textOrNull } from '../../../stores/common/cells.ts'

export type RecordedCopyRun = {
  readonly id: string
  readonly operation: string
  /** URLs without passwords. */
  readonly source: string
  readonly target: string
  readonly status: string
  readonly startedMs: number | null
  readonly endedMs: number | null
  readonly exitCode: number | null
  /** Rows that the run wrote: rows of chunks that it was the last to copy, and rows that it repaired. */
  readonly rows: bigint
  readonly detail: string | null
  /** Host of the run; null if it is this machine. */
  readonly host: string | null
}

export type RecordedChunk = {
  readonly table: string
  readonly no: string
  readonly status: string
  /**
   * First and last value of a key of one integer column, first and last token, or first and last block; both inclusive.
   * Null if there is no bound, and for other keys.
   */
  readonly first: string | null
  readonly last: string | null
  /**
   * Bounds as in the ledger: JSON lists of texts; null for no bound. Of keys, `lo` is exclusive and `hi` inclusive; of
   * blocks, `lo` is inclusive and `hi` exclusive.
   */
  readonly lo: string | null
  readonly hi: string | null
  readonly rows: bigint
  readonly attempts: number
  readonly code: string | null
  readonly error: string | null
}

export type StatusCount = { readonly status: string; readonly chunks: bigint; readonly rows: bigint }

/**
 * Runs, newest first. A run whose process is gone is reported as killed, even if the ledger does not record it yet.
 * Ledgers of version 1 can be read too.
 * @param id only this run; null for all @param here this process
 */
export async function recordedCopyRuns(
  database: LedgerDatabase,
  id: bigint | null,
  limit: number,
  here: ProcessIdentity,
): Promise<readonly RecordedCopyRun[]> {
  const dialect = ledgerDialect(database.dialect)
  const { castText: text } = dialect.types
  const columns = new Set(
    (await database.all(dialect.columns, ['migration_runs'])).map(([name]) => String(name).toLowerCase()),
  )
  const stored = (name: string): string => (columns.has(name) ? name : 'NULL')
  const rows = await database.all(
    `SELECT CAST(run_id AS ${text}), operation, source, target, status, CAST(started_ms AS ${text}), CAST(ended_ms AS ${text}), exit_code, detail,
       CAST(${stored('rows_written')} AS ${text}), host, pid, ${stored('machine')}, ${stored('process_started')}, ${stored('alive_until')}, ${dialect.now}
     FROM migration_runs r ${id === null ? '' : 'WHERE run_id = ?'} ORDER BY started_ms DESC, run_id DESC LIMIT ${limit}`,
    id === null ? [] : [id],
  )
  const found: RecordedCopyRun[] = []
  for (const row of rows) {
    const [run, operation, source, target, status, started, ended, code, detail, written, host, pid, machine] = row
    const [began, until, now] = row.slice(13)
    const sign = {
      status: String(status),
      host: textOrNull(host),
      pid: numberOrNull(pid),
      machine: textOrNull(machine),
      started: textOrNull(began),
      aliveUntil: numberOrNull(until),
    }
    const life = livenessOf(sign, Number(now), here)
    const killed = life === 'killed'
    const ask = async (what: string): Promise<SqlValue | undefined> =>
      (await database.all(`SELECT CAST(${what} AS ${text})`))[0]?.[0]
    const runId = BigInt(String(run))
    const lastChunk = killed ? await ask(lastChunkOf(runId)) : null
    found.push({
      id: String(run),
      operation: String(operation),
      source: String(source ?? ''),
      target: String(target ?? ''),
      status: killed ? KILLED_RUN : sign.status,
      startedMs: numberOrNull(started),
      endedMs: (killed ? lastSeenAt(sign.aliveUntil, numberOrNull(lastChunk)) : null) ?? numberOrNull(ended),
      exitCode: numberOrNull(code),
      rows: bigintOf(written ?? (await ask(killedRunRows(runId)))),
      detail: killed ? KILLED_DETAIL : life === 'silent' ? SILENT_DETAIL : textOrNull(detail),
      host: sign.host === here.host ? null : sign.host,
    })
  }
  return found
}

/** Number of chunks and rows by status, for chunks that a run worked on last. */
export async function chunkCounts(database: LedgerDatabase, runId: bigint): Promise<readonly StatusCount[]> {
  const { castText: text } = ledgerDialect(database.dialect).types
  const rows = await database.all(
    `SELECT status, CAST(COUNT(*) AS ${text}), CAST(COALESCE(SUM(rows_written), 0) AS ${text}) FROM migration_checkpoints
     WHERE run_id = ? GROUP BY status ORDER BY status`,
    [runId],
  )
  return rows.map(([status, chunks, written]) => ({
    status: String(status),
    chunks: bigintOf(chunks),
    rows: bigintOf(written),
  }))
}

/** Chunks that a run worked on last: failed ones first, completed ones last. */
export async function recordedChunks(
  database: LedgerDatabase,
  runId: bigint,
  limit: number,
): Promise<readonly RecordedChunk[]> {
  const { castText: text } = ledgerDialect(database.dialect).types
  const rows = await database.all(
    `SELECT schema_name, table_name, CAST(chunk_no AS ${text}), status, CAST(start_id AS ${text}), CAST(end_id AS ${text}), lo, hi,
       CAST(COALESCE(rows_written, 0) AS ${text}), attempt, error_code, error_message
     FROM migration_checkpoints WHERE run_id = ?
     ORDER BY CASE status WHEN 'failed' THEN 0 WHEN 'in_progress' THEN 1 WHEN 'pending' THEN 2 ELSE 3 END,
       table_name, schema_name, chunk_no, id LIMIT ${limit}`,
    [runId],
  )
  return rows.map(([schema, table, no, status, first, last, lo, hi, written, attempts, code, error]) => ({
    table: schema === null || schema === '' ? String(table) : `${String(schema)}.${String(table)}`,
    no: textOrNull(no) ?? '',
    status: String(status),
    first: textOrNull(first),
    last: textOrNull(last),
    lo: textOrNull(lo),
    hi: textOrNull(hi),
    rows: bigintOf(written),
    attempts: Number(attempts ?? 0),
    code: textOrNull(code),
    error: textOrNull(error),
  }))
}
