/** Runs whose programs ended without a word: shown as killed by those who look, and noted by the next program that writes. */
import type { LedgerDatabase } from '../../../stores/copy-port.ts'
import { ledgerDialect } from '../../../stores/ledger-dialect.ts'
import { hasEnded, type ProcessIdentity, type StoredIdentity } from '../../../shared/owner.ts'
import { LEASE_MS, type Owner } from './owner.ts'

export const KILLED = 'killed'
export const KILLED_DETAIL = 'its program ended before it could note how'

/** SQL for the rows that a run has written, of chunks that it worked on last, those included that a restart has retired since. @param run in SQL */
export function rowsOf(run: string): string {
  const sum = (table: string): string =>
    `COALESCE((SELECT SUM(COALESCE(c.rows_written, 0)) FROM ${table} c WHERE c.run_id = ${run}), 0)`
  return `(${sum('migration_checkpoints')} + ${sum('migration_chunk_history')})`
}

export type Sign = StoredIdentity & {
  readonly status: string
  /** By the clock of the ledger's database; null for runs that do not say. */
  readonly aliveUntil: number | null
}

/**
 * Whether a run that calls itself running is over: nothing was heard of it for a lease, or its program on this machine has ended.
 * @param now by the clock of the ledger's database, in ms @param here this process
 */
export function isKilled(run: Sign, now: number, here: ProcessIdentity): boolean {
  if (run.status !== 'running') return false
  if (run.aliveUntil !== null && run.aliveUntil < now) return true
  return hasEnded(run, here)
}

/** Notes runs that were killed: their end is when they were last heard of, as far as that is known. */
export async function markKilled(database: LedgerDatabase, here: ProcessIdentity): Promise<void> {
  const { now, types } = ledgerDialect(database.dialect)
  const rows = await database.all(
    `SELECT CAST(run_id AS ${types.castText}), status, host, pid, machine, process_started, alive_until, ${now} FROM migration_runs
     WHERE status = 'running'`,
  )
  const killed = rows.filter(([, status, host, pid, machine, started, until, at]) => {
    const sign = {
      status: String(status),
      host: host == null ? null : String(host),
      pid: pid == null ? null : Number(pid),
      machine: machine == null ? null : String(machine),
      started: started == null ? null : String(started),
      aliveUntil: until == null ? null : Number(until),
    }
    return isKilled(sign, Number(at), here)
  })
  if (killed.length === 0) return
  await database.batch(
    killed.map(([run]) => ({
      sql: `UPDATE migration_runs SET status = ?, detail = ?, ended_ms = COALESCE(alive_until - ?, started_ms), rows_written = ${rowsOf('migration_runs.run_id')},
              alive_until = NULL WHERE run_id = ? AND status = 'running'`,
      parameters: [KILLED, KILLED_DETAIL, LEASE_MS, BigInt(String(run))],
    })),
  )
}

/** Says that the run goes on. */
export function runRenewal(
  database: LedgerDatabase,
  { runId }: Owner,
): { readonly sql: string; readonly parameters: readonly [number, bigint] } {
  const { now } = ledgerDialect(database.dialect)
  return {
    sql: `UPDATE migration_runs SET alive_until = ${now} + ? WHERE run_id = ? AND status = 'running'`,
    parameters: [LEASE_MS, runId],
  }
}
