/** Runs graphile-worker to hand out tasks: selects what it takes, suppresses its log, and stops it. */
import { EventEmitter } from 'node:events'
import { Logger, run } from 'graphile-worker'
import type { Notification, Pool } from 'pg'
import type { QueueRunner, TaskKey, WorkerAbout } from '../../../model/share/queue-port.ts'
import { jobFlag, taskName } from './jobs.ts'

/** Logger that writes nothing: events of sluice report the same facts. */
export const SILENT = new Logger(() => () => undefined)
/** Interval at which delayed jobs are polled, ms. New jobs are announced at once. */
const POLL_MS = 2_000
/** Channel for changes of the jobs' schema. Every login with CONNECT may send on it. */
const MIGRATED = 'worker:migrate'
const BREAKING_SQL = 'SELECT pg_catalog.max(id)::pg_catalog.int4 AS id FROM graphile_worker.migrations WHERE breaking'

/** @param perform must not throw @param refused returns ids of runs that this worker leaves to other workers */
export async function runTasks(
  pool: Pool,
  { program, queues, concurrency }: WorkerAbout,
  perform: (key: TaskKey) => Promise<void>,
  refused: () => readonly string[],
): Promise<QueueRunner> {
  const task = async (payload: unknown): Promise<void> => {
    const { runId, no } = payload as TaskKey
    await perform({ runId, no })
  }
  const names = queues.length === 0 ? [null] : queues
  const breaking = await latestBreakingChange(pool)
  const events = new EventEmitter()
  // Clears the message before graphile-worker reads it: otherwise graphile-worker would stop the runner without a check
  // of the schema.
  events.on('pool:listen:notification', ({ message }: { readonly message: Notification }) => {
    if (message.channel !== MIGRATED) return
    message.payload = ''
    void stopWhereChanged().catch(() => undefined)
  })
  const runner = await run({
    pgPool: pool,
    events,
    concurrency,
    pollInterval: POLL_MS,
    noHandleSignals: true,
    logger: SILENT,
    forbiddenFlags: () => refused().map(jobFlag),
    // With a delay of 0, graphile-worker awaits each query that completes or fails a job. With a delay, an error of
    // this query would end the program.
    preset: { worker: { completeJobBatchDelay: 0, failJobBatchDelay: 0 } },
    taskList: Object.fromEntries(names.map((queue) => [taskName(program, queue), task])),
  })
  let isStopping = false
  const stop = async (): Promise<void> => {
    if (isStopping) return await runner.promise
    isStopping = true
    await runner.stop()
  }
  /** Stops the runner after an incompatible change. A new runner checks the schema, and refuses an unknown one. */
  async function stopWhereChanged(): Promise<void> {
    if ((await latestBreakingChange(pool)) !== breaking) await stop()
  }
  return { ended: runner.promise, stop }
}

/** Number of the newest change of the jobs' schema that is incompatible with older programs. */
async function latestBreakingChange(pool: Pool): Promise<number | null> {
  const { rows } = await pool.query<{ id: number | null }>(BREAKING_SQL)
  return rows[0]?.id ?? null
}
