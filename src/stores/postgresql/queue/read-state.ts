/** Reads the state of runs, tasks and workers from their rows. All times are by the clock of the database. */
import {
  LOST_AFTER_MS,
  SILENT_AFTER_MS,
  type DistributedRun,
  type QueueState,
  type TaskRow,
  type UncountedRun,
  type WatchedRun,
  type WorkerRow,
} from '../../../model/share/distributed.ts'
import { isOtherDatabase } from './identity.ts'
import type { QueuePool } from './pool.ts'
import type { SteeredTables } from '../../../model/share/queue-port.ts'
import { COUNT_IS_DUE, DRAIN_WANTED, LEDGER_CHUNKS, LEDGER_ROWS, ON_CALL, OPEN_ROWS, QUEUE_SCHEMA } from './schema.ts'

/** SQL expression: a timestamp as ms since the epoch. */
export const ms = (column: string): string => `(extract(epoch FROM ${column}) * 1000)::float8`
/**
 * SQL condition: no heartbeat for `forMs`. With the default, the worker is lost, and another worker may take its task.
 */
export const isSilentSql = (column: string, forMs = LOST_AFTER_MS): string =>
  `${column} < now() - ${forMs} * interval '1 millisecond'`

/**
 * SQL condition: the worker is steady, because its heartbeats had no gap for `LOST_AFTER_MS`. A new worker is steady
 * at once, if `NO_STEADY_WORKER` is false at its first heartbeat. After a gap of its own heartbeats, a worker cannot
 * know if silent workers died, or only could not reach the queue.
 * @param workerId the parameter with its id
 */
export const isSteadySql = (workerId: string): string =>
  `NOT EXISTS (SELECT FROM ${QUEUE_SCHEMA}.sluice_workers me WHERE me.worker_id = ${workerId} AND (${isSilentSql('me.beat_at', SILENT_AFTER_MS)} OR NOT ${isSilentSql('me.reached_at')}))`

/** SQL condition: the worker had a heartbeat within a day. Older workers are ignored, and are not treated as lost. */
const IS_RECENT = `beat_at > now() - interval '1 day'`
/** SQL condition: the worker `o`, which has not ended, had a heartbeat within `SILENT_AFTER_MS`. */
const HAS_HEARTBEAT = `NOT ${isSilentSql('o.beat_at', SILENT_AFTER_MS)}`
/**
 * SQL condition: some workers are silent, and no other worker is steady. A new worker then cannot know if the silent
 * ones died, or the queue was down.
 */
export const NO_STEADY_WORKER = `(SELECT coalesce(bool_or(NOT ${HAS_HEARTBEAT}) AND NOT bool_or(${HAS_HEARTBEAT} AND (o.reached_at IS NULL OR ${isSilentSql('o.reached_at')})), false)
  FROM ${QUEUE_SCHEMA}.sluice_workers o WHERE o.ended_at IS NULL AND o.${IS_RECENT})`

/** SQL condition: the worker `w` takes tasks from a queue, as `takesFromQueue` of the model. */
function takesFromQueue(queue: string): string {
  return `CASE WHEN ${queue} IS NULL THEN cardinality(w.queues) = 0 ELSE ${queue} = ANY (w.queues) END`
}
/** SQL condition: a worker of any program version takes tasks from the queue, does not drain, and is not lost. */
export function hasWorker(queue: string): string {
  return `EXISTS (SELECT FROM ${QUEUE_SCHEMA}.sluice_workers w WHERE w.ended_at IS NULL AND NOT w.draining AND NOT ${isSilentSql('w.beat_at')} AND ${takesFromQueue(queue)})`
}
/** SQL condition: the worker `w` takes tasks of the run `r`, as `takesFrom` of the model. */
export const TAKES = `w.program = r.program AND ${takesFromQueue('r.queue')}`
/**
 * SQL condition: the active run `r` waits, because it is not confirmed in this database.
 * @param identity parameter with the identity of the database
 */
export const unconfirmedSql = (identity: string): string =>
  `(r.status = 'running' AND ${isOtherDatabase(identity, 'r')})`
/**
 * SQL condition: tasks of the run `r` are queued or lost, and all workers that would take them are lost or have ended.
 */
const WAITS = `(r.status = 'running' AND EXISTS (
    SELECT FROM ${QUEUE_SCHEMA}.sluice_run_slots q WHERE q.run_id = r.run_id AND (q.state = 'queued' OR (q.state = 'working' AND ${isSilentSql('q.beat_at')})))
  AND NOT EXISTS (SELECT FROM ${QUEUE_SCHEMA}.sluice_workers w WHERE w.ended_at IS NULL AND NOT ${isSilentSql('w.beat_at')} AND ${TAKES}))`

/** Time for a worker to report a failure of a task that it took, ms: a command of an alert may take 30 s. */
const REPORTED_WITHIN_MS = 60_000
/** SQL condition: the task `s` has a failure that no worker has reported or is reporting now. */
export const UNREPORTED = `(s.unreported IS NOT NULL AND coalesce((s.unreported ->> 'takenAt'::text)::float8 < ${ms('clock_timestamp()')} - ${REPORTED_WITHIN_MS}::float8, true))`

/** Maximum number of ledgers that a worker reads again in one pass. */
const MOST_UNCOUNTED = 20

/**
 * SQL: rows of a task. The rows of chunks that its last worker left open are subtracted, because the next worker counts
 * them.
 */
const ROWS = `earlier_rows + turn_rows - CASE WHEN state = 'queued' THEN ${OPEN_ROWS} ELSE 0 END`

type RunRecord = Omit<DistributedRun, 'rows' | 'slots' | 'refusals' | 'slotRuns'> &
  DistributedRun['slots'] & {
    readonly rows: string
    readonly refusals: DistributedRun['refusals'] | null
    readonly slotRuns: DistributedRun['slotRuns'] | null
  }

/** Counts of workers, tasks and runs. */
export async function readState(pool: QueuePool): Promise<Omit<QueueState, 'unconfirmed' | 'refusedSchedules'>> {
  const { rows } = await pool.ask<
    QueueState['workers'] & QueueState['slots'] & Record<'gone' | 'waiting' | 'unconfirmed' | 'oldest', number>
  >(
    `SELECT w.*, s.*, (SELECT count(*)::int FROM ${QUEUE_SCHEMA}.sluice_runs r WHERE ${WAITS} AND NOT ${unconfirmedSql('$1')}) AS waiting,
       (SELECT count(*)::int FROM ${QUEUE_SCHEMA}.sluice_runs r WHERE ${unconfirmedSql('$1')}) AS unconfirmed
     FROM (
       SELECT count(*) FILTER (WHERE NOT ${isSilentSql('beat_at', SILENT_AFTER_MS)})::int AS lives,
         count(*) FILTER (WHERE ${isSilentSql('beat_at', SILENT_AFTER_MS)} AND NOT ${isSilentSql('beat_at')})::int AS silent,
         count(*) FILTER (WHERE ${isSilentSql('beat_at')})::int AS gone
       FROM ${QUEUE_SCHEMA}.sluice_workers WHERE ended_at IS NULL AND ${IS_RECENT}
     ) w, (
       SELECT count(*) FILTER (WHERE state = 'queued')::int AS queued, count(*) FILTER (WHERE state = 'working')::int AS working,
         count(*) FILTER (WHERE state = 'working' AND ${isSilentSql('beat_at')})::int AS lost,
         coalesce(max(extract(epoch FROM now() - beat_at)) FILTER (WHERE state = 'working'), 0)::float8 * 1000 AS oldest
       FROM ${QUEUE_SCHEMA}.sluice_run_slots JOIN ${QUEUE_SCHEMA}.sluice_runs r USING (run_id) WHERE r.status = 'running'
     ) s`,
    [await pool.identity.read()],
  )
  const [row] = rows
  if (row === undefined) throw new Error('a count has no row')
  const { lives, silent: quiet, gone, queued, working, lost, waiting, unconfirmed: unconfirmedRuns, oldest } = row
  return {
    workers: { lives, silent: quiet, lost: gone },
    slots: { queued, working, lost },
    waiting,
    unconfirmedRuns,
    oldestBeatMs: Math.max(0, Math.round(oldest)),
  }
}

/** Runs of the queue, newest first. */
export async function readRuns(pool: QueuePool, limit: number, runId?: string): Promise<readonly DistributedRun[]> {
  const { rows } = await pool.ask<RunRecord>(
    `SELECT r.run_id AS "runId", r.kind, r.command_line AS "commandLine", r.operation, r.queue, r.source, r.target, r.program, r.actor, r.host,
       ${ms('r.begun_at')} AS "begunAt", ${ms('r.ended_at')} AS "endedAt", r.status, r.exit_code AS "exitCode", r.error, r.wishes,
       ${WAITS} AND NOT ${unconfirmedSql('$3')} AS "isWaiting", ${unconfirmedSql('$3')} AS "isUnconfirmed",
       CASE WHEN ${COUNT_IS_DUE} THEN (to_jsonb(r) ->> 'ledger_ms')::float8 END AS "countedAt", s.*,
       (SELECT json_agg(json_build_object('host', f.host, 'error', f.error) ORDER BY f.refused_at)
        FROM ${QUEUE_SCHEMA}.sluice_run_refusals f WHERE f.run_id = r.run_id) AS refusals
     FROM ${QUEUE_SCHEMA}.sluice_runs r, LATERAL (
       SELECT coalesce(${LEDGER_ROWS}, sum(${ROWS}), 0)::text AS rows, coalesce(${LEDGER_CHUNKS}, sum(earlier_chunks + turn_chunks), 0)::int AS chunks,
         coalesce(sum(rate) FILTER (WHERE state = 'working' AND NOT ${isSilentSql('beat_at', SILENT_AFTER_MS)}), 0)::float8 AS rate,
         count(*) FILTER (WHERE state = 'queued')::int AS queued, count(*) FILTER (WHERE state = 'working')::int AS working,
         count(*) FILTER (WHERE state = 'working' AND ${isSilentSql('beat_at')})::int AS lost,
         count(*) FILTER (WHERE state = 'ended')::int AS ended, count(*) FILTER (WHERE about = '' OR ${ON_CALL})::int AS whole,
         array_agg(ledger_run ORDER BY slot_no) FILTER (WHERE ledger_run IS NOT NULL) AS "slotRuns"
       FROM ${QUEUE_SCHEMA}.sluice_run_slots s WHERE run_id = r.run_id) s
     WHERE $2::text IS NULL OR r.run_id = $2 ORDER BY r.begun_at DESC, r.run_id DESC LIMIT $1`,
    [limit, runId ?? null, await pool.identity.read()],
  )
  return rows.map(({ queued, working, ended, lost, whole, ...run }) => ({
    ...run,
    rows: BigInt(run.rows),
    slots: { queued, working, ended, lost, whole },
    refusals: run.refusals ?? [],
    slotRuns: run.slotRuns ?? [],
  }))
}

/**
 * Runs whose ledger must be read again. Only runs that ended within the last day: the target of an older run may have
 * changed since its end.
 */
export async function readUncounted(pool: QueuePool): Promise<readonly UncountedRun[]> {
  const { rows } = await pool.ask<UncountedRun>(
    `SELECT r.run_id AS "runId", r.operation, r.stores, ${ms('r.ended_at')} AS "endedAt",
       ${ms('clock_timestamp()')} - ${ms('r.ended_at')} AS "endedMsAgo"
     FROM ${QUEUE_SCHEMA}.sluice_runs r WHERE r.ended_at > now() - interval '1 day' AND (r.ledger_rows IS NOT NULL OR r.kind = 'copy') AND r.counted_end IS DISTINCT FROM r.ended_at ORDER BY r.ended_at DESC LIMIT ${MOST_UNCOUNTED}`,
  )
  return rows
}

type SlotRecord = Omit<TaskRow, 'rows'> & { readonly rows: string }

/** Tasks of a run, in order of their numbers. */
export async function readTasks(pool: QueuePool, runId: string): Promise<readonly TaskRow[]> {
  const { rows } = await pool.ask<SlotRecord>(
    `SELECT s.run_id AS "runId", s.slot_no AS no, s.about, s.state, ${ON_CALL} AS "onCall", s.turns, s.worker_id AS "workerId", w.host,
       s.ledger_run AS "ledgerRun", ${ms('s.beat_at')} AS "beatAt", (s.state = 'working' AND ${isSilentSql('s.beat_at')}) AS "isLost", (${ROWS})::text AS rows,
       s.earlier_chunks + s.turn_chunks AS chunks,
       CASE WHEN s.state = 'working' AND NOT ${isSilentSql('s.beat_at', SILENT_AFTER_MS)} THEN s.rate ELSE 0 END AS rate, s.exit_code AS "exitCode", s.error
     FROM ${QUEUE_SCHEMA}.sluice_run_slots s LEFT JOIN ${QUEUE_SCHEMA}.sluice_workers w USING (worker_id)
     WHERE s.run_id = $1 ORDER BY s.slot_no`,
    [runId],
  )
  return rows.map((row) => ({ ...row, rows: BigInt(row.rows) }))
}

type WatchRecord = Omit<WatchedRun, 'silent' | 'lost' | 'alerts' | 'unreported'> & {
  readonly silent: WatchedRun['silent'] | null
  readonly lost: WatchedRun['lost'] | null
  readonly alerts: WatchedRun['alerts'] | null
  readonly unreported: WatchedRun['unreported'] | null
}

/**
 * Runs with alert options: active ones, and ended ones with an alert, a lost task or an unreported failure. Runs that
 * were confirmed in another database are left out: this database is a copy, and the workers of the original watch the
 * runs.
 * @param workerId id of the caller: while `isSteadySql` is false for this worker, no other worker is reported as silent
 */
export async function readWatched(pool: QueuePool, workerId: string): Promise<readonly WatchedRun[]> {
  const { rows } = await pool.ask<WatchRecord>(
    `SELECT r.run_id AS "runId", r.operation, r.stores, r.status, ${ms('clock_timestamp()')} AS now, coalesce(r.wishes -> 'held'::text = 'true', false) AS "isHeld",
       r.status <> 'running' AND EXISTS (
         SELECT FROM ${QUEUE_SCHEMA}.sluice_runs b WHERE b.command_line = r.command_line AND b.status = 'ok' AND b.ended_at > r.ended_at) AS "isMended",
       CASE WHEN ${WAITS} AND ${isSilentSql('r.begun_at')}
         AND (${isSteadySql('$2')} OR EXISTS (SELECT FROM ${QUEUE_SCHEMA}.sluice_alerts a WHERE a.run_id = r.run_id AND a.cause = 'no-worker')) THEN r.program END AS "waitsFor",
       (SELECT json_agg(json_build_object('no', s.slot_no, 'host', w.host, 'beatAt', ${ms('s.beat_at')}, 'chunks', s.open_chunks) ORDER BY s.slot_no)
        FROM ${QUEUE_SCHEMA}.sluice_run_slots s LEFT JOIN ${QUEUE_SCHEMA}.sluice_workers w USING (worker_id)
        WHERE s.run_id = r.run_id AND s.state = 'working' AND ${isSilentSql('s.beat_at', SILENT_AFTER_MS)} AND ${isSteadySql('$2')}) AS silent,
       (SELECT json_agg(s.lost || jsonb_build_object('state', s.state, 'isBack', s.lost ->> 'workerId'::text = s.worker_id) ORDER BY s.slot_no)
        FROM ${QUEUE_SCHEMA}.sluice_run_slots s WHERE s.run_id = r.run_id AND s.lost IS NOT NULL) AS lost,
       (SELECT json_agg(json_build_object('scope', a.about, 'cause', a.cause, 'table', a.table_name, 'since', ${ms('a.since')}, 'chunks', a.chunks))
        FROM ${QUEUE_SCHEMA}.sluice_alerts a WHERE a.run_id = r.run_id) AS alerts,
       (SELECT json_agg(json_build_object('no', s.slot_no, 'operation', coalesce(s.operation, r.operation), 'error', s.unreported) ORDER BY s.slot_no)
        FROM ${QUEUE_SCHEMA}.sluice_run_slots s WHERE s.run_id = r.run_id AND ${UNREPORTED}) AS unreported
     FROM (
       SELECT * FROM ${QUEUE_SCHEMA}.sluice_runs o
       WHERE o.status = 'running' OR EXISTS (SELECT FROM ${QUEUE_SCHEMA}.sluice_alerts a WHERE a.run_id = o.run_id)
         OR EXISTS (SELECT FROM ${QUEUE_SCHEMA}.sluice_run_slots s WHERE s.run_id = o.run_id AND (s.lost IS NOT NULL OR s.unreported IS NOT NULL))
       -- OFFSET 0 keeps the planner from joining these: the conditions above must choose the runs first.
       OFFSET 0) r
     WHERE (r.operation ? 'alert' OR r.operation -> 'follow'::text ? 'alert') AND NOT ${isOtherDatabase('$1', 'r')}
     ORDER BY r.run_id`,
    [await pool.identity.read(), workerId],
  )
  return rows.map((run) => ({
    ...run,
    silent: run.silent ?? [],
    lost: run.lost ?? [],
    alerts: run.alerts ?? [],
    unreported: run.unreported ?? [],
  }))
}

/** Tables from the newest plans of the run's tasks. Tasks on call have the tables of the task with the stream. */
export async function readTables(pool: QueuePool, runId: string): Promise<SteeredTables> {
  const { rows } = await pool.ask<{ readonly names: readonly string[] | null; readonly whole: boolean | null }>(
    `SELECT (SELECT array_agg(DISTINCT name ORDER BY name) FROM ${QUEUE_SCHEMA}.sluice_run_slots o, unnest(o.tables) name WHERE o.run_id = $1 AND NOT o.compares) AS names,
       bool_and(s.tables IS NOT NULL) FILTER (WHERE NOT s.compares AND (s.operation IS NOT NULL OR s.tables IS NOT NULL)) AS whole
     FROM ${QUEUE_SCHEMA}.sluice_run_slots s WHERE s.run_id = $1`,
    [runId],
  )
  return { names: rows[0]?.names ?? [], isWhole: rows[0]?.whole === true }
}

type WorkerRecord = Omit<WorkerRow, 'slots'> & { readonly slots: WorkerRow['slots'] | null }

/** Workers with a heartbeat within the last day: live workers first, then lost workers, then ended ones. */
export async function readWorkers(pool: QueuePool): Promise<readonly WorkerRow[]> {
  const { rows } = await pool.ask<WorkerRecord>(
    `SELECT w.worker_id AS "workerId", w.host, w.pid, w.program, w.concurrency, w.queues, ${ms('w.begun_at')} AS "begunAt", ${ms('w.beat_at')} AS "beatAt",
       CASE WHEN w.ended_at IS NOT NULL THEN 'ended' WHEN ${isSilentSql('w.beat_at')} THEN 'lost' WHEN ${isSilentSql('w.beat_at', SILENT_AFTER_MS)} THEN 'silent' WHEN w.draining OR ${DRAIN_WANTED} THEN 'draining' ELSE 'lives' END AS state,
       (SELECT json_agg(json_build_object('runId', s.run_id, 'no', s.slot_no, 'rate', s.rate) ORDER BY s.run_id, s.slot_no)
        FROM ${QUEUE_SCHEMA}.sluice_run_slots s WHERE s.worker_id = w.worker_id AND s.state = 'working') AS slots
     FROM ${QUEUE_SCHEMA}.sluice_workers w
     WHERE ${IS_RECENT}
     ORDER BY w.ended_at IS NOT NULL, ${isSilentSql('w.beat_at')}, w.begun_at, w.worker_id`,
  )
  return rows.map((row) => ({ ...row, slots: row.slots ?? [] }))
}

/** Current time of the database's clock, ms since the epoch. The times in rows are from the same clock. */
export async function readClock(pool: QueuePool): Promise<number> {
  const { rows } = await pool.ask<{ readonly now: number }>(`SELECT ${ms('clock_timestamp()')} AS now`)
  return rows[0]?.now ?? 0
}
