/** `catalog_audit`: who changed the catalog, when, how, and with what result. Nothing secret is ever passed in here. */
import { isoTime } from '../shared/clock.ts'
import { REPEATABLE, type SqlDatabase, type SqlReader } from '../stores/port.ts'

export type AuditStart = {
  readonly runId: string
  readonly actor: string
  readonly host: string
  readonly tool: string
  readonly command: string
  readonly subject: string | null
  readonly nowMs: number
}

export async function auditStart(database: SqlDatabase, entry: AuditStart): Promise<void> {
  await database.write(
    (transaction) =>
      transaction.run(
        `INSERT INTO catalog_audit (run_id, started_at, actor, host, tool, command, subject, status) VALUES (?, ?, ?, ?, ?, ?, ?, 'running')`,
        [BigInt(entry.runId), isoTime(entry.nowMs), entry.actor, entry.host, entry.tool, entry.command, entry.subject],
      ),
    async (reader) =>
      (await reader.all('SELECT 1 FROM catalog_audit WHERE run_id = ?', [BigInt(entry.runId)])).length > 0,
  )
}

export async function auditEnd(
  database: SqlDatabase,
  runId: string,
  end: {
    readonly status: string
    readonly exitCode: number
    readonly errorCode?: string
    readonly detail?: string
    readonly nowMs: number
  },
): Promise<void> {
  await database.write(
    (transaction) =>
      transaction.run(
        'UPDATE catalog_audit SET completed_at = ?, status = ?, exit_code = ?, error_code = ?, detail = ? WHERE run_id = ?',
        [isoTime(end.nowMs), end.status, end.exitCode, end.errorCode ?? null, end.detail ?? null, BigInt(runId)],
      ),
    REPEATABLE,
  )
}

export type AuditRow = {
  readonly runId: string
  readonly startedAt: string
  readonly completedAt: string | null
  readonly actor: string
  readonly command: string
  readonly subject: string | null
  readonly status: string
  readonly exitCode: number | null
  readonly errorCode: string | null
  readonly detail: string | null
}

/** Newest first. */
export async function readAudit(reader: SqlReader, limit: number): Promise<readonly AuditRow[]> {
  const rows = await reader.all(
    `SELECT CAST(run_id AS TEXT), started_at, completed_at, actor, command, subject, status, exit_code, error_code, detail
     FROM catalog_audit ORDER BY run_id DESC LIMIT ?`,
    [limit],
  )
  return rows.map((row) => {
    const [runId, startedAt, completedAt, actor, command, subject, status, exitCode, errorCode, detail] = row as [
      string,
      string,
      string | null,
      string,
      string,
      string | null,
      string,
      number | null,
      string | null,
      string | null,
    ]
    return { runId, startedAt, completedAt, actor, command, subject, status, exitCode, errorCode, detail }
  })
}
