/** Queue of shared runs in PostgreSQL: graphile-worker hands out tasks; tables of sluice have the state of runs. */
import { makeWorkerUtils } from 'graphile-worker'
import type { PoolClient } from 'pg'
import type { DistributedRun, QueueState, RunRequests, TaskRow, WorkerRow } from '../../../model/share/distributed.ts'
import { ordersAfter, type TableRequest } from '../../../model/run/table-request.ts'
import type {
  AlertStore,
  QueuedRun,
  QueueWorker,
  RunQueue,
  SteeredTables,
  WorkerAbout,
} from '../../../model/share/queue-port.ts'
import type { ScheduleStore } from '../../../model/share/schedule-port.ts'
import { PostgresAlerts } from './alerts.ts'
import { endOfStopped } from './ends.ts'
import { queueTasks, submitRun } from './jobs.ts'
import { readClock, readRuns, readTasks, readState, readTables, readWorkers, isSilentSql } from './read-state.ts'
import { QueuePool } from './pool.ts'
import { SILENT } from './runner.ts'
import { findQueueTables, makeSchemas, prepareQueue, QUEUE_SCHEMA, ALL_TABLES, type QueueTables } from './schema.ts'
import { PostgresSchedules } from './schedules.ts'
import { PostgresQueueWorker } from './worker.ts'

/** Number of connections of a process that only reads or submits. */
const FEW = 3

/** State of a database without a queue. */
const NOTHING: QueueState = {
  workers: { lives: 0, silent: 0, lost: 0 },
  slots: { queued: 0, working: 0, lost: 0 },
  waiting: 0,
  unconfirmed: 0,
  unconfirmedRuns: 0,
  refusedSchedules: 0,
  oldestBeatMs: 0,
}

/** SQL expression: current time as ms since the epoch, the unit for times of steering requests. */
const NOW_MS = 'floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint'
/** SQL expression: the time of the request. A task with a later heartbeat has received the request. */
const ORDERED = `jsonb_build_object('orderedAt', ${NOW_MS})`

/**
 * @param mode `read`: does not create a missing queue, which then has no runs
 * @param slots maximum number of tasks that a worker has at once
 * @throws SluiceError CONNECT_FAILED, LEDGER_NEWER, TARGET_DENIED
 */
export async function openPostgresQueue(url: string, mode: 'read' | 'work', slots = 0): Promise<RunQueue> {
  const pool = await QueuePool.open(url, FEW + slots * 2)
  try {
    const there = await findQueueTables((text) => pool.ask(text), pool.settings.label)
    if (mode === 'work') {
      await pool.writable()
      await makeSchemas(pool.pool, pool.settings.label)
      // Another role may have created a schema meanwhile: check the owner before anything is created in it.
      await pool.writable()
      const utils = await makeWorkerUtils({ pgPool: pool.pool, logger: SILENT })
      await utils.migrate()
      await utils.release()
      await prepareQueue(pool.pool, pool.settings.label)
      await pool.writable()
    }
    return new PostgresQueue(pool, mode === 'work' ? ALL_TABLES : there)
  } catch (error) {
    const said = await pool.mapError(error, mode === 'work' ? 'make' : 'read')
    await pool[Symbol.asyncDispose]()
    throw said
  }
}

/**
 * Merges new steering requests for tables with the earlier ones. Returns an empty object if there are no new requests.
 * Locks the run's row until the transaction ends.
 */
async function tableOrders(
  client: PoolClient,
  runId: string,
  tables: readonly TableRequest[],
): Promise<Pick<RunRequests, 'tables' | 'retries'>> {
  if (tables.length === 0) return {}
  const { rows } = await client.query<{ wishes: RunRequests; now: string }>(
    `SELECT wishes, ${NOW_MS}::text AS now FROM ${QUEUE_SCHEMA}.sluice_runs WHERE run_id = $1 FOR UPDATE`,
    [runId],
  )
  const { wishes = {}, now = '0' } = rows[0] ?? {}
  const before = { holds: wishes.tables ?? [], retries: wishes.retries ?? [] }
  const { holds, retries } = tables.reduce((orders, options) => ordersAfter(orders, options, Number(now)), before)
  return { tables: holds, retries }
}

type Confirmed = { readonly set: string; readonly values: readonly string[] }
const NOT_CONFIRMED: Confirmed = { set: '', values: [] }

class PostgresQueue implements RunQueue {
  readonly #pool: QueuePool
  #there: QueueTables
  readonly schedules: ScheduleStore
  readonly alerts: AlertStore

  constructor(pool: QueuePool, there: QueueTables) {
    this.#pool = pool
    this.#there = there
    this.alerts = new PostgresAlerts(pool)
    this.schedules = new PostgresSchedules(pool, async () => (await this.seen()).schedules)
  }

  get label(): string {
    return this.#pool.settings.label
  }

  async now(): Promise<number> {
    return await readClock(this.#pool)
  }

  async submit(run: QueuedRun): Promise<void> {
    const identity = await this.#pool.identity.read()
    await this.#pool.transaction(async (client) => submitRun(client, run, identity))
  }

  async runs(limit: number, runId?: string): Promise<readonly DistributedRun[]> {
    return (await this.#found()) ? await readRuns(this.#pool, limit, runId) : []
  }

  async slots(runId: string): Promise<readonly TaskRow[]> {
    return (await this.#found()) ? await readTasks(this.#pool, runId) : []
  }

  async workers(): Promise<readonly WorkerRow[]> {
    return (await this.#found()) ? await readWorkers(this.#pool) : []
  }

  async state(): Promise<QueueState> {
    if (!(await this.#found())) return NOTHING
    const unconfirmed = (await this.schedules.unconfirmed()).length
    return { ...(await readState(this.#pool)), unconfirmed, refusedSchedules: await this.schedules.refused() }
  }

  async drain(name: string): Promise<number> {
    if (!(await this.seen()).drains) return 0
    const { rowCount } = await this.#pool.ask(
      `UPDATE ${QUEUE_SCHEMA}.sluice_workers SET drain_wanted = true
       WHERE (host = $1 OR worker_id = $1) AND ended_at IS NULL AND NOT ${isSilentSql('beat_at')}`,
      [name],
    )
    return rowCount ?? 0
  }

  async tables(runId: string): Promise<SteeredTables | null> {
    return (await this.seen()).tables ? await readTables(this.#pool, runId) : null
  }

  async steer(runId: string, given: RunRequests, tables: readonly TableRequest[] = []): Promise<boolean> {
    if (!(await this.#found())) return false
    const confirmed = given.held === false ? await this.#confirmed('$3') : NOT_CONFIRMED
    return await this.#pool.transaction(async (client) => {
      const options = { ...given, ...(await tableOrders(client, runId, tables)) }
      const { rowCount } = await client.query(
        `UPDATE ${QUEUE_SCHEMA}.sluice_runs SET wishes = wishes || $2 || ${ORDERED}${confirmed.set} WHERE run_id = $1 AND status = 'running'`,
        [runId, JSON.stringify(options), ...confirmed.values],
      )
      if (rowCount !== 1) return false
      if (options.stop === true) await endOfStopped(client, runId)
      return true
    })
  }

  async resume(runId: string): Promise<number | null> {
    if (!(await this.#found())) return null
    const { set, values } = await this.#confirmed('$2')
    return await this.#pool.transaction(async (client) => {
      const { rowCount } = await client.query(
        `UPDATE ${QUEUE_SCHEMA}.sluice_runs
         SET status = 'running', ended_at = NULL, exit_code = NULL, error = NULL, wishes = (wishes - '{stop,held,tables,retries}'::text[]) || ${ORDERED} || jsonb_build_object('resumedAt', ${NOW_MS})${set}
         WHERE run_id = $1 AND status IN ('stopped', 'failed', 'refused')`,
        [runId, ...values],
      )
      if (rowCount !== 1) return null
      await client.query(`DELETE FROM ${QUEUE_SCHEMA}.sluice_run_refusals WHERE run_id = $1`, [runId])
      const { rowCount: slots } = await client.query(
        `UPDATE ${QUEUE_SCHEMA}.sluice_run_slots SET state = 'queued', rests = 0, ended_at = NULL, exit_code = NULL, error = NULL
         WHERE run_id = $1 AND state = 'ended' AND exit_code IS DISTINCT FROM 0`,
        [runId],
      )
      await queueTasks(client, { where: "s.run_id = $2 AND s.state = 'queued'", values: [runId] })
      return slots ?? 0
    })
  }

  worker(about: WorkerAbout): QueueWorker {
    return new PostgresQueueWorker(this.#pool, about)
  }

  /**
   * End of a SET list that confirms a run in this database; empty for a queue before version 8, which has no column for
   * it.
   */
  async #confirmed(parameter: string): Promise<Confirmed> {
    if (!(await this.seen()).confirmedRuns) return NOT_CONFIRMED
    return { set: `, confirmed_in = ${parameter}`, values: [await this.#pool.identity.read()] }
  }

  /** Reads which tables exist, so that a queue created later is found. @throws SluiceError LEDGER_NEWER */
  async seen(): Promise<QueueTables> {
    try {
      if (!this.#there.confirmedRuns) this.#there = await findQueueTables((text) => this.#pool.ask(text), this.label)
    } catch (error) {
      throw await this.#pool.mapError(error, 'read')
    }
    return this.#there
  }

  async #found(): Promise<boolean> {
    return (await this.seen()).runs
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool[Symbol.asyncDispose]()
  }
}
