/**
 * `catalog_audit`: who changed the catalog, when, how, and with what result. It contains no secrets. While a command
 * runs, `detail` names its process, so that readers can find out whether the process was killed.
 */
import { isoTime } from '../shared/clock.ts'
import { processStatusOf, type ProcessStatus, type ProcessIdentity } from '../shared/owner.ts'
import { REPEATABLE, type SqlDatabase, type SqlReader } from '../model/run/sql-port.ts'

export type AuditStart = {
  readonly runId: string
  readonly actor: string
  readonly host: string
  readonly process: ProcessIdentity
  readonly tool: string
  readonly command: string
  readonly subject: string | null
  readonly nowMs: number
}

export async function auditStart(database: SqlDatabase, entry: AuditStart): Promise<void> {
  await database.write(
    (transaction) =>
      transaction.run(
        `INSERT INTO catalog_audit (run_id, started_at, actor, host, tool, command, subject, status, detail) VALUES (?, ?, ?, ?, ?, ?, ?, 'running', ?)`,
        [
          BigInt(entry.runId),
          isoTime(entry.nowMs),
          entry.actor,
          entry.host,
          entry.tool,
          entry.command,
          entry.subject,
          detailOf(entry.process),
        ],
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

/** Status of a command whose process ended before it recorded a result. */
export const KILLED_COMMAND = 'killed'

/**
 * The audit rows, newest first. A command with status `running` is `killed` if its process has ended, or if this is
 * unknown but a later command on the same subject succeeded. Read-only.
 * @param here this process
 */
export async function readAudit(reader: SqlReader, limit: number, here: ProcessIdentity): Promise<readonly AuditRow[]> {
  const rows = await reader.all(
    `SELECT CAST(run_id AS TEXT), started_at, completed_at, actor, command, subject, status, exit_code, error_code, detail, host
     FROM catalog_audit ORDER BY run_id DESC LIMIT ?`,
    [limit],
  )
  const finished = new Set<string>()
  return rows.map((row) => {
    const [runId, startedAt, completedAt, actor, command, subject, status, exitCode, errorCode, detail, host] = row as [
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
      string,
    ]
    const stored = { runId, startedAt, completedAt, actor, command, subject, exitCode, errorCode }
    if (status !== 'running') {
      if (status === 'ok' && subject !== null) finished.add(subject)
      return { ...stored, status, detail }
    }
    const fate = processState(detail, host, here)
    const isOver = fate === 'ended' || (fate === 'unknown' && subject !== null && finished.has(subject))
    return { ...stored, status: isOver ? KILLED_COMMAND : status, detail: null }
  })
}

/** The process of a running command, as stored in `detail`. */
function detailOf({ machine, pid, started }: ProcessIdentity): string {
  return JSON.stringify({ pid, machine, process_started: started })
}

/** State of the process of a running command. Unknown for rows of older programs. */
function processState(detail: string | null, host: string, here: ProcessIdentity): ProcessStatus {
  const named = /^\{"pid":(\d+),"machine":(?:null|"([^"]*)"),"process_started":(?:null|"(\d+)")\}$/.exec(detail ?? '')
  if (named === null) return 'unknown'
  const [, pid, machine, started] = named
  return processStatusOf({ host, pid: Number(pid), machine: machine ?? null, started: started ?? null }, here)
}
