/**
 * Runs whose processes ended without recording an end: readers report them as killed, and the next writer records this.
 */
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import { ledgerDialect } from '../../../stores/ledger-dialect.ts'
import { processStatusOf, type ProcessIdentity, type StoredIdentity } from '../../../shared/owner.ts'
import { COPY_LEASE_MS, type RunOwner } from './owner.ts'
import { COMPARED } from './stored-chunk.ts'
import { runStatement } from './statement.ts'
import { numberOrNull, textOrNull } from '../../../stores/common/cells.ts'

export const KILLED_RUN = 'killed'
export const KILLED_DETAIL = 'its program ended before it recorded a result'
export const SILENT_DETAIL = 'its process exists but sends no heartbeat: it hangs'

/**
 * SQL for the number of rows that a run wrote: rows of chunks that it was the last to copy, and rows that it repaired.
 * Chunks that a restart has retired since are included. Chunks that it only compared are left out. The run id is a
 * literal: with a column, PostgreSQL expects most of the ledger to match and reads all of it.
 */
export function killedRunRows(run: bigint): string {
  const of = (table: string): string =>
    `SELECT c.rows_written AS n FROM ${table} c WHERE c.run_id = ${run} AND NOT (${COMPARED})`
  const repaired = `SELECT COUNT(*) FROM migration_repairs r WHERE r.run_id = ${run} AND r.action <> 'delete'`
  // One sum over a union: PostgreSQL has no built-in operator that adds a SUM and a COUNT.
  return `(SELECT COALESCE(SUM(n), 0) FROM (${of('migration_checkpoints')} UNION ALL ${of('migration_chunk_history')} UNION ALL ${repaired}) AS written)`
}

/** Status, process and heartbeat of a run, from which `livenessOf` derives its state. */
export type RunHeartbeat = StoredIdentity & {
  readonly status: string
  /** Time until which the run counts as alive, by the clock of the ledger's database; null without a heartbeat. */
  readonly aliveUntil: number | null
}

/** State of a run that is recorded as running. `silent`: its process exists on this machine, but sends no heartbeat. */
export type RunLiveness = 'runs' | 'silent' | 'killed'

/**
 * A run is killed if its process on this machine has ended. If that cannot be checked, it is killed once its heartbeat
 * has expired.
 * @param now by the clock of the ledger's database, in ms @param here this process
 */
export function livenessOf(run: RunHeartbeat, now: number, here: ProcessIdentity): RunLiveness {
  if (run.status !== 'running') return 'runs'
  // The calling process is not frozen: if the heartbeat of its earlier run has expired, that run has ended.
  const isOwn = run.pid === here.pid && run.machine === here.machine && run.started === here.started
  const fate = isOwn ? 'unknown' : processStatusOf(run, here)
  const isSilent = run.aliveUntil !== null && run.aliveUntil < now
  if (fate === 'ended' || (fate === 'unknown' && isSilent)) return 'killed'
  return isSilent ? 'silent' : 'runs'
}

/** SQL for the time of the last completion of a chunk of a run, ms since the epoch. */
export function lastChunkOf(run: bigint): string {
  return `(SELECT MAX(c.completed_ms) FROM migration_checkpoints c WHERE c.run_id = ${run})`
}

/**
 * Time of the last heartbeat of a killed run, or of a chunk that it completed later. Null if the run had no heartbeat.
 */
export function lastSeenAt(aliveUntil: number | null, lastChunk: number | null): number | null {
  if (aliveUntil === null) return null
  return Math.max(aliveUntil - COPY_LEASE_MS, lastChunk ?? 0)
}

/** Records that runs were killed. Their end is the time from `lastSeenAt`, or their start if this is unknown. */
export async function markKilled(database: LedgerDatabase, here: ProcessIdentity): Promise<void> {
  const { now, types } = ledgerDialect(database.dialect)
  const rows = await database.all(
    `SELECT CAST(run_id AS ${types.castText}), status, host, pid, machine, process_started, alive_until, ${now} FROM migration_runs WHERE status = 'running'`,
  )
  const killed = rows.filter(([, status, host, pid, machine, started, until, at]) => {
    const sign = {
      status: String(status),
      host: textOrNull(host),
      pid: numberOrNull(pid),
      machine: textOrNull(machine),
      started: textOrNull(started),
      aliveUntil: numberOrNull(until),
    }
    return livenessOf(sign, Number(at), here) === 'killed'
  })
  for (const [run, , , , , , until] of killed) {
    const id = BigInt(String(run))
    const [[chunk] = []] = await database.all(`SELECT CAST(${lastChunkOf(id)} AS ${types.castText})`)
    const sql = `UPDATE migration_runs SET status = ?, detail = ?, ended_ms = COALESCE(?, started_ms), rows_written = ${killedRunRows(id)},
                alive_until = NULL WHERE run_id = ? AND status = 'running'`
    await runStatement(database, sql, [
      KILLED_RUN,
      KILLED_DETAIL,
      lastSeenAt(numberOrNull(until), numberOrNull(chunk)),
      id,
    ])
  }
}

/** Heartbeat of the run: extends the time until which the run counts as alive. */
export function runRenewal(
  database: LedgerDatabase,
  { runId }: RunOwner,
): { readonly sql: string; readonly parameters: readonly [number, bigint] } {
  const { now } = ledgerDialect(database.dialect)
  return {
    sql: `UPDATE migration_runs SET alive_until = ${now} + ? WHERE run_id = ? AND status = 'running'`,
    parameters: [COPY_LEASE_MS, runId],
  }
}
