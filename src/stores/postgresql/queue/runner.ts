/** graphile-worker, told to hand out slots: which it takes, how its own words are kept from ours, and how it is stopped. */
import { EventEmitter } from 'node:events'
import { Logger, run } from 'graphile-worker'
import type { Notification, Pool } from 'pg'
import type { QueueRunner, SlotKey, WorkerAbout } from '../../../model/share/queue-port.ts'
import { flagOf, taskName } from './jobs.ts'

/** What it says is said by our own events. */
export const SILENT = new Logger(() => () => undefined)
/** New jobs are told of at once; this is for those whose time has come. */
const POLL_MS = 2_000
/** The channel on which a program says that it has changed the schema of the jobs. Every login with CONNECT may send on it. */
const MIGRATED = 'worker:migrate'
const BREAKING_SQL = 'SELECT pg_catalog.max(id)::pg_catalog.int4 AS id FROM graphile_worker.migrations WHERE breaking'

/** @param perform does not throw @param refused ids of runs that are left to others */
export async function takeSlots(
  pool: Pool,
  { program, queues, concurrency }: WorkerAbout,
  perform: (key: SlotKey) => Promise<void>,
  refused: () => readonly string[],
): Promise<QueueRunner> {
  const task = async (payload: unknown): Promise<void> => {
    const { runId, no } = payload as SlotKey
    await perform({ runId, no })
  }
  const names = queues.length === 0 ? [null] : queues
  const breaking = await breakingIn(pool)
  const events = new EventEmitter()
  // Emitted before graphile-worker itself reads the message, which would stop the runner without a look at the schema.
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
    forbiddenFlags: () => refused().map(flagOf),
    // Without a delay nobody waits for the answer of these questions, and one that fails would end the program.
    preset: { worker: { completeJobBatchDelay: 0, failJobBatchDelay: 0 } },
    taskList: Object.fromEntries(names.map((queue) => [taskName(program, queue), task])),
  })
  let isStopping = false
  const stop = async (): Promise<void> => {
    if (isStopping) return await runner.promise
    isStopping = true
    await runner.stop()
  }
  /** The next runner refuses a schema that it does not know. */
  async function stopWhereChanged(): Promise<void> {
    if ((await breakingIn(pool)) !== breaking) await stop()
  }
  return { ended: runner.promise, stop }
}

/** The newest change of the jobs' schema that older programs cannot work with. */
async function breakingIn(pool: Pool): Promise<number | null> {
  const { rows } = await pool.query<{ id: number | null }>(BREAKING_SQL)
  return rows[0]?.id ?? null
}
