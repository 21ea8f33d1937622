/** Runs whose programs ended without a word: shown as killed by those who look, and noted by the next program that writes. */
import type { LedgerDatabase } from '../../../model/copy/port.ts'
import { ledgerDialect } from '../../../stores/ledger-dialect.ts'
import { fateOf, type ProcessIdentity, type StoredIdentity } from '../../../shared/owner.ts'
import type { SqlValue } from '../../../model/run/sql-port.ts'
import { LEASE_MS, type Owner } from './owner.ts'
import { COMPARED } from './stored-chunk.ts'

export const KILLED = 'killed'
export const KILLED_DETAIL = 'its program ended before it could note how'
export const SILENT_DETAIL = 'its process is there, and nothing is heard of it: it stands still'

/**
 * SQL for the rows that a run has written: of chunks that it copied last, those included that a restart has retired since, and rows that it has mended. Rows
 * of chunks that it only compared are none of them. The run stands in it as a number: of a column PostgreSQL takes most of a ledger for its chunks, and reads
 * all of it.
 */
export function rowsOf(run: bigint): string {
  const of = (table: string): string =>
    `SELECT c.rows_written AS n FROM ${table} c WHERE c.run_id = ${run} AND NOT (${COMPARED})`
  const mended = `SELECT COUNT(*) FROM migration_repairs r WHERE r.run_id = ${run} AND r.action <> 'delete'`
  // One sum: PostgreSQL has no operator of its own for a sum and a count.
  return `(SELECT COALESCE(SUM(n), 0) FROM (${of('migration_checkpoints')} UNION ALL ${of('migration_chunk_history')} UNION ALL ${mended}) AS written)`
}

export type Sign = StoredIdentity & {
  readonly status: string
  /** By the clock of the ledger's database; null for runs that do not say. */
  readonly aliveUntil: number | null
}

/** What a run that calls itself running is: `silent` where its process stands on this machine and says nothing, as one that is frozen. */
export type Life = 'runs' | 'silent' | 'killed'

/**
 * Whether a run that calls itself running is over: its program on this machine has ended, or nobody can ask for that, and nothing was heard of it for a lease.
 * @param now by the clock of the ledger's database, in ms @param here this process
 */
export function lifeOf(run: Sign, now: number, here: ProcessIdentity): Life {
  if (run.status !== 'running') return 'runs'
  // Whoever asks does not stand still: of an earlier run of its own process silence tells.
  const isOwn = run.pid === here.pid && run.machine === here.machine && run.started === here.started
  const fate = isOwn ? 'unknown' : fateOf(run, here)
  const isSilent = run.aliveUntil !== null && run.aliveUntil < now
  if (fate === 'ended' || (fate === 'unknown' && isSilent)) return 'killed'
  return isSilent ? 'silent' : 'runs'
}

/** SQL for the last moment at which a chunk of a run was settled, ms since the epoch. */
export function lastChunkOf(run: bigint): string {
  return `(SELECT MAX(c.completed_ms) FROM migration_checkpoints c WHERE c.run_id = ${run})`
}

/** When a killed run was last heard of: by its heartbeat, or by a chunk that it settled after that; null where neither is known. */
export function lastHeardOf(aliveUntil: number | null, lastChunk: number | null): number | null {
  if (aliveUntil === null) return null
  return Math.max(aliveUntil - LEASE_MS, lastChunk ?? 0)
}

/** Notes runs that were killed: their end is when they were last heard of, as far as that is known. */
export async function markKilled(database: LedgerDatabase, here: ProcessIdentity): Promise<void> {
  const { now, types } = ledgerDialect(database.dialect)
  const rows = await database.all(
    `SELECT CAST(run_id AS ${types.castText}), status, host, pid, machine, process_started, alive_until, ${now} FROM migration_runs WHERE status = 'running'`,
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
    return lifeOf(sign, Number(at), here) === 'killed'
  })
  for (const [run, , , , , , until] of killed) {
    const id = BigInt(String(run))
    const [[chunk] = []] = await database.all(`SELECT CAST(${lastChunkOf(id)} AS ${types.castText})`)
    await database.batch([
      {
        sql: `UPDATE migration_runs SET status = ?, detail = ?, ended_ms = COALESCE(?, started_ms), rows_written = ${rowsOf(id)},
                alive_until = NULL WHERE run_id = ? AND status = 'running'`,
        parameters: [KILLED, KILLED_DETAIL, lastHeardOf(whole(until), whole(chunk)), id],
      },
    ])
  }
}

function whole(value: SqlValue | undefined): number | null {
  return value == null ? null : Number(value)
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
