/** The queue as one worker uses it: heartbeat, tasks claimed with a fencing token, and the sweep for lost tasks. */
import type { PoolClient } from 'pg'
import {
  SILENT_AFTER_MS,
  type EndedRun,
  type LedgerTotals,
  type TurnEnd,
  type TurnProgress,
  type UncountedRun,
  type WatchedRun,
  failuresFor,
} from '../../../model/share/distributed.ts'
import type { Event } from '../../../model/run/event.ts'
import { EXIT_OF_KIND, type ErrorInfo } from '../../../shared/errors.ts'
import type {
  ClaimedTask,
  LossReport,
  QueueRunner,
  QueueWorker,
  Released,
  TaskKey,
  TaskRequests,
  QueueSweep,
  WorkerAbout,
} from '../../../model/share/queue-port.ts'
import { LOSS_REPORTS } from './alerts.ts'
import {
  dropOnCall,
  dropQueued,
  endOfRun,
  endOfStopped,
  isToStop,
  leavesOut,
  queueAgain,
  queueOnCall,
  sharedRunOf,
} from './ends.ts'
import { HAS_NO_JOB, unlockJobs } from './jobs.ts'
import { queueJsonbText } from './json.ts'
import {
  ms,
  readUncounted,
  readWatched,
  isSilentSql,
  isSteadySql,
  unconfirmedSql,
  UNREPORTED,
  NO_STEADY_WORKER,
} from './read-state.ts'
import type { QueuePool } from './pool.ts'
import { Promotions } from './promotions.ts'
import { endRefused } from './refused.ts'
import { runTasks } from './runner.ts'
import { QUEUE_SCHEMA, RUNS_TABLE, SLOTS_TABLE, WORKERS_TABLE } from './schema.ts'
import { type ClaimRecord, OldWorkers, unconfirmedRuns } from './worker-rows.ts'

/** First wait after a transient failure, ms. It doubles with each retry, up to `LONGEST_REST_MS`. */
const FIRST_REST_MS = 2_000

const LONGEST_REST_MS = 60_000

/** After this time, ms, a task that one worker refused is offered to other workers. */
const OFFERED_AFTER_MS = 1_000

/** SQL condition: this worker has the task, with this fencing token. */
const MINE = `s.run_id = $1 AND s.slot_no = $2 AND s.fence = $3 AND s.worker_id = $4 AND s.state = 'working'`

/**
 * SQL over `s`, a task of a lost worker: the report of the loss as `SilentTask`, and the time at which the loss was
 * found.
 */
const LOSS = `jsonb_build_object('no', s.slot_no, 'workerId', s.worker_id, 'host', (SELECT w.host FROM ${WORKERS_TABLE} w WHERE w.worker_id = s.worker_id), 'beatAt', ${ms('s.beat_at')},
  'chunks', s.open_chunks, 'at', ${ms('clock_timestamp()')})`

export class PostgresQueueWorker implements QueueWorker {
  readonly #pool: QueuePool
  readonly #about: WorkerAbout
  readonly #promotions: Promotions
  readonly #oldWorkers = new OldWorkers()

  constructor(pool: QueuePool, about: WorkerAbout) {
    this.#pool = pool
    this.#about = about
    this.#promotions = new Promotions((text, values) => pool.ask(text, values), about.workerId)
  }

  async sendHeartbeat(draining: boolean): Promise<boolean> {
    const { workerId, host, pid, program, concurrency, queues } = this.#about
    const { rows } = await this.#pool.ask<{ drain_wanted: boolean; beats: number }>(
      `INSERT INTO ${WORKERS_TABLE} AS w (worker_id, host, pid, program, concurrency, queues, draining, reached_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, CASE WHEN EXISTS (SELECT FROM ${WORKERS_TABLE} k WHERE k.worker_id = $1) THEN NULL WHEN ${NO_STEADY_WORKER} THEN now() END)
       ON CONFLICT (worker_id) DO UPDATE SET beat_at = now(), reached_at = CASE WHEN ${isSilentSql('w.beat_at', SILENT_AFTER_MS)} THEN now() ELSE w.reached_at END, draining = excluded.draining, ended_at = NULL,
         beats = w.beats + 1 RETURNING w.drain_wanted, w.beats`,
      [workerId, host, pid, program, concurrency, queues, draining],
    )
    this.#promotions.noteHeartbeats(rows[0]?.beats ?? 0)
    return rows[0]?.drain_wanted === true
  }

  async claim({ runId, no }: TaskKey): Promise<ClaimedTask | null> {
    const { rows } = await this.#pool.ask<ClaimRecord>(
      `UPDATE ${SLOTS_TABLE} s SET state = 'working', fence = s.fence + 1, turns = s.turns + 1, worker_id = $3, beat_at = now(),
         begun_at = coalesce(s.begun_at, now()), earlier_rows = s.earlier_rows + s.turn_rows - s.open_rows, earlier_chunks = s.earlier_chunks + s.turn_chunks,
         turn_rows = 0, open_rows = 0, turn_chunks = 0, rate = 0, ledger_run = NULL, error = NULL, unreported = NULL,
         lost = CASE WHEN s.state = 'working' THEN ${LOSS} ELSE s.lost END, open_chunks = '[]'
       FROM ${RUNS_TABLE} r
       WHERE s.run_id = $1 AND s.slot_no = $2 AND r.run_id = s.run_id AND r.status = 'running' AND r.wishes -> 'stop'::text IS DISTINCT FROM 'true'
         AND NOT ${unconfirmedSql('$4')} AND (s.state = 'queued' OR (s.state = 'working' AND ${isSilentSql('s.beat_at')} AND ${isSteadySql('$3')}))
       RETURNING s.fence, s.rests, s.about, s.compares AS "onCall", r.kind, r.takes_turns AS "takesTurns", coalesce(s.operation, r.operation) AS operation, r.stores, r.command_line AS "commandLine", r.mark,
         r.wishes ->> 'resumedAt'::text AS resumed, r.wishes, (SELECT o.error FROM ${SLOTS_TABLE} o WHERE o.run_id = s.run_id AND o.slot_no = s.slot_no) AS cause,
         (SELECT count(*)::int FROM ${SLOTS_TABLE} o WHERE o.run_id = r.run_id AND (o.state = 'working' OR o.slot_no = s.slot_no)) AS working`,
      [runId, no, this.#about.workerId, await this.#pool.identity.read()],
    )
    const [row] = rows
    if (row === undefined) return null
    const { rests, cause, resumed, wishes, working, ...slot } = row
    return {
      runId,
      no,
      ...slot,
      rested: { times: rests, cause },
      sharedRun: sharedRunOf(runId, resumed),
      orders: { wishes, working, isOver: false },
    }
  }

  async progress(
    slot: ClaimedTask,
    { rows, open, chunks, rate, standing = [] }: TurnProgress,
    ledgerRun: string | null,
    tables?: readonly string[],
  ): Promise<TaskRequests | null> {
    const answer = await this.#pool.ask<TaskRequests>(
      `WITH mine AS (
         UPDATE ${SLOTS_TABLE} s SET beat_at = now(), turn_rows = $5, turn_chunks = $6, rate = $7, ledger_run = coalesce($8, s.ledger_run), open_rows = $9,
           tables = coalesce($10, s.tables), open_chunks = $11
         WHERE ${MINE} RETURNING s.run_id)
       SELECT r.wishes, r.status <> 'running' AS "isOver",
         (SELECT count(*)::int FROM ${SLOTS_TABLE} o WHERE o.run_id = r.run_id AND o.state = 'working') AS working
       FROM ${RUNS_TABLE} r JOIN mine USING (run_id)`,
      [
        ...this.#mine(slot),
        rows.toString(),
        chunks,
        rate,
        ledgerRun,
        open.toString(),
        tables ?? null,
        queueJsonbText(standing),
      ],
    )
    return answer.rows[0] ?? null
  }

  async count(slot: ClaimedTask, { rows, chunks, at }: LedgerTotals, ageMs: number): Promise<void> {
    await this.#pool.ask(
      `UPDATE ${RUNS_TABLE} r SET ledger_rows = $5, ledger_chunks = $6, ledger_ms = $7, counted_at = clock_timestamp() - $8 * interval '1 millisecond'
       WHERE r.run_id = $1 AND coalesce(r.ledger_ms, 0) <= $7 AND EXISTS (SELECT FROM ${SLOTS_TABLE} s WHERE ${MINE})`,
      [...this.#mine(slot), rows.toString(), chunks, at, ageMs],
    )
  }

  async uncounted(): Promise<readonly UncountedRun[]> {
    return await readUncounted(this.#pool)
  }

  async countEnd(
    { runId, endedAt }: Pick<UncountedRun, 'runId' | 'endedAt'>,
    totals: LedgerTotals | null,
  ): Promise<void> {
    await this.#pool.ask(
      `UPDATE ${RUNS_TABLE} r SET ledger_rows = coalesce($3, ledger_rows), ledger_chunks = coalesce($4, ledger_chunks), counted_end = r.ended_at
       WHERE r.run_id = $1 AND ${ms('r.ended_at')} = $2 AND coalesce(r.ledger_rows <= $3 AND r.ledger_chunks <= $4, true)`,
      [runId, endedAt, totals?.rows.toString() ?? null, totals?.chunks ?? null],
    )
  }

  async storeEvents(slot: ClaimedTask, events: readonly Event[]): Promise<void> {
    // Stored as text, because jsonb refuses some characters that values may contain.
    await this.#pool.ask(
      `INSERT INTO ${QUEUE_SCHEMA}.sluice_run_output (run_id, slot_no, events) SELECT s.run_id, s.slot_no, $5 FROM ${SLOTS_TABLE} s WHERE ${MINE}
       ON CONFLICT (run_id, slot_no) DO UPDATE SET events = excluded.events`,
      [...this.#mine(slot), JSON.stringify(events)],
    )
  }

  async release(slot: ClaimedTask, end: TurnEnd): Promise<Released> {
    const { left, exitCode, error, isUnworked = false, isLost = false } = end
    const { runId, no, about } = slot
    return await this.#pool.transaction(async (client) => {
      // Lock the row of the run first. Otherwise, if the last two tasks end at the same time, each would see the other
      // as active.
      const isStopped = await isToStop(client, runId)
      const isLeftOut = left === 'none' && exitCode === EXIT_OF_KIND.stopped
      // A user may have included the table again since the task's last heartbeat.
      const isWanted = isLeftOut && !(await leavesOut(client, runId))
      const goesOn = !isStopped && (left !== 'none' || isWanted)
      const { rows } = await client.query<{ rests: number; shared: boolean; on_call: boolean }>(
        `UPDATE ${SLOTS_TABLE} s SET state = CASE WHEN $5 THEN 'queued' ELSE 'ended' END, rate = 0, exit_code = $6, error = $7,
           rests = $8, ended_at = CASE WHEN $5 THEN NULL ELSE clock_timestamp() END,
           lost = CASE WHEN $9 THEN ${LOSS} || '{"isKilled": true}'::jsonb ELSE s.lost END
         WHERE ${MINE} RETURNING s.rests, s.operation IS NULL AND NOT s.compares AS shared, s.compares AS on_call`,
        [
          ...this.#mine(slot),
          goesOn,
          goesOn ? null : left === 'none' ? exitCode : EXIT_OF_KIND.stopped,
          error === undefined || isWanted ? null : queueJsonbText(error),
          left === 'rest' ? failuresFor(slot.rested, error) + 1 : 0,
          isLost && goesOn,
        ],
      )
      const [row] = rows
      if (row === undefined) return { isMine: false, goesOn: false, ended: null }
      if (goesOn) {
        const rest = left === 'rest' ? Math.min(LONGEST_REST_MS, FIRST_REST_MS * 2 ** Math.min(10, row.rests - 1)) : 0
        await queueAgain(client, runId, no, rest)
        return { isMine: true, goesOn, ended: null }
      }
      // Tasks that share one operation end together if no work is left, or if the operation is refused for all of them.
      const isRefused = ([EXIT_OF_KIND.usage, EXIT_OF_KIND.unsupported] as number[]).includes(exitCode)
      if (row.shared && (exitCode === 0 || isLeftOut || isRefused))
        await dropQueued(client, runId, { shared: error === undefined ? null : queueJsonbText(error) })
      if (!row.on_call) await dropOnCall(client, runId)
      const ended = await endOfRun(client, runId)
      // For a shared operation, a task has failed only if the run has failed.
      const hasFailed = about !== '' || ended?.status === 'failed' || ended?.status === 'refused'
      // If the run was asked to stop while the task rested before a retry, it has not failed.
      if (isUnworked && error !== undefined && hasFailed && left === 'none')
        await client.query(`UPDATE ${SLOTS_TABLE} SET unreported = error WHERE run_id = $1 AND slot_no = $2`, [
          runId,
          no,
        ])
      return { isMine: true, goesOn, ended }
    })
  }

  async callOthers({ runId }: ClaimedTask): Promise<void> {
    await this.#pool.transaction(async (client) => {
      if (!(await isToStop(client, runId))) await queueOnCall(client, runId)
    })
  }

  async refuse(slot: ClaimedTask, error: ErrorInfo): Promise<EndedRun | null> {
    const { runId, no } = slot
    const { workerId, host } = this.#about
    const info = queueJsonbText(error)
    return await this.#pool.transaction(async (client) => {
      // Lock the row of the run first, as `release` does.
      const isStopped = await isToStop(client, runId)
      await client.query(
        `INSERT INTO ${QUEUE_SCHEMA}.sluice_run_refusals (run_id, worker_id, host, error) VALUES ($1, $2, $3, $4)
         ON CONFLICT (run_id, worker_id) DO UPDATE SET error = excluded.error, refused_at = now()`,
        [runId, workerId, host, info],
      )
      const { rowCount } = await client.query(
        `UPDATE ${SLOTS_TABLE} s SET state = 'queued', turns = s.turns - 1, error = CASE WHEN s.rests > 0 THEN $5::jsonb END WHERE ${MINE}`,
        [...this.#mine(slot), info],
      )
      if (rowCount !== 1) return null
      // No worker claims a task of a stopped run.
      if (isStopped) return await endOfStopped(client, runId)
      await queueAgain(client, runId, no, OFFERED_AFTER_MS)
      return null
    })
  }

  async sweep(): Promise<QueueSweep> {
    const identity = await this.#pool.identity.read()
    const carried = await this.#promotions.carry(identity)
    await this.#oldWorkers.forget(this.#pool)
    return await this.#pool.transaction(async (client) => {
      const { rows: lostKeys } = await client.query<TaskKey>(
        `UPDATE ${SLOTS_TABLE} s SET state = 'queued', fence = s.fence + 1, rate = 0, lost = ${LOSS}
         FROM ${RUNS_TABLE} r
         WHERE r.run_id = s.run_id AND r.status = 'running' AND (NOT ${unconfirmedSql('$1')} OR r.wishes -> 'stop'::text = 'true') AND s.state = 'working' AND ${isSilentSql('s.beat_at')} AND ${isSteadySql('$2')}
           AND (s.run_id, s.slot_no) IN (
             SELECT o.run_id, o.slot_no FROM ${SLOTS_TABLE} o WHERE o.state = 'working' AND ${isSilentSql('o.beat_at')} FOR UPDATE SKIP LOCKED)
         RETURNING s.run_id AS "runId", s.slot_no AS no`,
        [identity, this.#about.workerId],
      )
      await unlockJobs(client, lostKeys)
      const stopped = await this.#endStopped(client)
      // Includes the tasks that were found lost just now: their job may be locked or missing.
      const { rows: unqueued } = await client.query<TaskKey>(
        `SELECT s.run_id AS "runId", s.slot_no AS no FROM ${SLOTS_TABLE} s JOIN ${RUNS_TABLE} r USING (run_id)
         WHERE s.state = 'queued' AND r.status = 'running' AND NOT ${unconfirmedSql('$1')} AND ${HAS_NO_JOB}
         ORDER BY s.run_id, s.slot_no FOR UPDATE OF s SKIP LOCKED`,
        [identity],
      )
      for (const { runId, no } of unqueued) await queueAgain(client, runId, no)
      const refused = await endRefused(client, this.#about.workerId)
      const own = await this.#refusedRuns(client)
      return {
        lost: lostKeys,
        unqueued,
        refused: refused.map(({ runId }) => runId),
        ended: [...stopped, ...refused],
        own,
        carried,
        unconfirmed: await unconfirmedRuns(client, identity),
        isWithheld: await this.#isWithheld(client),
      }
    })
  }

  async watch(): Promise<readonly WatchedRun[]> {
    return await readWatched(this.#pool, this.#about.workerId)
  }

  async noteLoss({ runId, no }: TaskKey, at: number, is: LossReport): Promise<boolean> {
    const { becomes, where } = LOSS_REPORTS[is]
    const { rowCount } = await this.#pool.ask(
      `UPDATE ${SLOTS_TABLE} SET lost = ${becomes} WHERE run_id = $1 AND slot_no = $2 AND (lost ->> 'at'::text)::float8 = $3 AND ${where}`,
      [runId, no, at],
    )
    return rowCount === 1
  }

  async takeFailure({ runId, no }: TaskKey): ReturnType<QueueWorker['takeFailure']> {
    const { rows } = await this.#pool.ask<{ at: number; isAgain: boolean }>(
      `UPDATE ${SLOTS_TABLE} s SET unreported = s.unreported || jsonb_build_object('takenAt', ${ms('clock_timestamp()')}, 'isAgain', s.unreported ? 'takenAt')
       WHERE s.run_id = $1 AND s.slot_no = $2 AND ${UNREPORTED}
       RETURNING (s.unreported ->> 'takenAt'::text)::float8 AS at, (s.unreported ->> 'isAgain'::text)::boolean AS "isAgain"`,
      [runId, no],
    )
    return rows[0] ?? null
  }

  async reported({ runId, no }: TaskKey, at: number): Promise<void> {
    await this.#pool.ask(
      `UPDATE ${SLOTS_TABLE} SET unreported = NULL WHERE run_id = $1 AND slot_no = $2 AND (unreported ->> 'takenAt'::text)::float8 = $3`,
      [runId, no, at],
    )
  }

  async take(perform: (key: TaskKey) => Promise<void>, refused: () => readonly string[]): Promise<QueueRunner> {
    try {
      const runner = await runTasks(this.#pool.pool, this.#about, perform, refused)
      const ended = runner.ended.catch(async (error: unknown) => {
        throw await this.#pool.mapError(error, 'change')
      })
      return { stop: async () => runner.stop(), ended }
    } catch (error) {
      throw await this.#pool.mapError(error, 'change')
    }
  }

  async recordEnd(): Promise<void> {
    await this.#pool.ask(`UPDATE ${WORKERS_TABLE} SET ended_at = now(), beat_at = now() WHERE worker_id = $1`, [
      this.#about.workerId,
    ])
  }

  async #refusedRuns(client: PoolClient): Promise<readonly string[]> {
    const { rows } = await client.query<{ run_id: string }>(
      `SELECT f.run_id FROM ${QUEUE_SCHEMA}.sluice_run_refusals f JOIN ${RUNS_TABLE} r USING (run_id) WHERE f.worker_id = $1 AND r.status = 'running'`,
      [this.#about.workerId],
    )
    return rows.map(({ run_id }) => run_id)
  }

  /** True if tasks are silent, but this worker must not declare them lost because `isSteadySql` is false for it. */
  async #isWithheld(client: PoolClient): Promise<boolean> {
    const { rows } = await client.query<{ held: boolean }>(
      `SELECT NOT ${isSteadySql('$1')} AND EXISTS (
         SELECT FROM ${SLOTS_TABLE} s JOIN ${RUNS_TABLE} r USING (run_id) WHERE r.status = 'running' AND s.state = 'working' AND ${isSilentSql('s.beat_at')}) AS held`,
      [this.#about.workerId],
    )
    return rows[0]?.held === true
  }

  /** Ends the waiting tasks of stopped runs, which no worker claims. A locked run is left to the next sweep. */
  async #endStopped(client: PoolClient): Promise<readonly EndedRun[]> {
    const { rows } = await client.query<{ run_id: string }>(
      `SELECT r.run_id FROM ${RUNS_TABLE} r WHERE r.status = 'running' AND r.wishes -> 'stop'::text = 'true'
         AND EXISTS (SELECT FROM ${SLOTS_TABLE} s WHERE s.run_id = r.run_id AND s.state = 'queued') ORDER BY r.run_id FOR UPDATE SKIP LOCKED`,
    )
    const ended: EndedRun[] = []
    for (const { run_id } of rows) {
      const end = await endOfStopped(client, run_id)
      if (end !== null) ended.push(end)
    }
    return ended
  }

  #mine({ runId, no, fence }: ClaimedTask): unknown[] {
    return [runId, no, fence, this.#about.workerId]
  }
}
