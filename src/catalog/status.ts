/**
 * `migration_status`: one row per import, as in the guide. Times are text in SQLite, and in other catalogs before
 * migration 4.
 */
import { isoOfText, isoTime } from '../shared/clock.ts'
import type { SqlReader, SqlTransaction } from '../model/run/sql-port.ts'
import { dialectOf } from './dialect.ts'

export type ImportStatus = 'in_progress' | 'completed' | 'failed' | 'stopped'

export type StatusRow = {
  readonly importId: string
  readonly tableId: string
  readonly status: ImportStatus
  readonly version: number | null
  readonly filesProcessed: number
  /** ISO 8601 in UTC, like `completedAt`; null if migration 4 could not convert the text. */
  readonly startedAt: string | null
  readonly completedAt: string | null
  readonly errorMessage: string | null
}

/** Inserts an import's row. The caller gives the id, so that ids sort by time. */
export async function startStatus(
  transaction: SqlTransaction,
  importId: string,
  tableId: string,
  nowMs: number,
): Promise<void> {
  await transaction.run(
    'INSERT INTO migration_status (import_id, table_id, status, version, files_processed, started_at) VALUES (?, ?, ?, NULL, 0, ?)',
    [BigInt(importId), tableId, 'in_progress', timeText(transaction, nowMs)],
  )
}

/** Sets an import's row to its current state. */
export async function setStatus(
  transaction: SqlTransaction,
  importId: string,
  to: {
    readonly status: ImportStatus
    readonly version: number | null
    readonly files: number
    readonly error?: string
    readonly nowMs: number
  },
): Promise<number> {
  const ended = to.status === 'completed' || to.status === 'failed'
  return transaction.run(
    'UPDATE migration_status SET status = ?, version = ?, files_processed = ?, completed_at = ?, error_message = ? WHERE import_id = ?',
    [
      to.status,
      to.version,
      to.files,
      ended ? timeText(transaction, to.nowMs) : null,
      to.error ?? null,
      BigInt(importId),
    ],
  )
}

/**
 * All imports, or those of one table, newest first. @param after run id; returns only imports that began after this run
 */
export async function readStatus(reader: SqlReader, tableId?: string, after?: string): Promise<readonly StatusRow[]> {
  const wanted = [...(tableId === undefined ? [] : ['table_id = ?']), ...(after === undefined ? [] : ['import_id > ?'])]
  const rows = await reader.all(
    `SELECT CAST(import_id AS TEXT), table_id, status, version, files_processed, started_at, completed_at, error_message
     FROM migration_status ${wanted.length === 0 ? '' : `WHERE ${wanted.join(' AND ')}`} ORDER BY started_at IS NULL, started_at DESC, import_id DESC`,
    [...(tableId === undefined ? [] : [tableId]), ...(after === undefined ? [] : [BigInt(after)])],
  )
  return rows.map((row) => {
    const [importId, id, status, version, files, startedAt, completedAt, error] = row as [
      string,
      string,
      ImportStatus,
      number | null,
      number,
      string | null,
      string | null,
      string | null,
    ]
    return {
      importId,
      tableId: id,
      status,
      version,
      filesProcessed: files,
      startedAt: startedAt === null ? null : isoOfText(startedAt),
      completedAt: completedAt === null ? null : isoOfText(completedAt),
      errorMessage: error,
    }
  })
}

function timeText(reader: Pick<SqlReader, 'dialect'>, ms: number): string {
  return dialectOf(reader).timeText?.(ms) ?? isoTime(ms)
}
