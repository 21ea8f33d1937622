/** graphile-worker, told to hand out slots: which it takes, how its own words are kept from ours, and how it is stopped. */
import { Logger, run } from 'graphile-worker'
import type { Pool } from 'pg'
import type { QueueRunner, SlotKey, WorkerAbout } from '../../queue-port.ts'
import { flagOf, taskName } from './jobs.ts'

/** What it says is said by our own events. */
export const SILENT = new Logger(() => () => undefined)
/** New jobs are told of at once; this is for those whose time has come. */
const POLL_MS = 2_000

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
  const runner = await run({
    pgPool: pool,
    concurrency,
    pollInterval: POLL_MS,
    noHandleSignals: true,
    logger: SILENT,
    forbiddenFlags: () => refused().map(flagOf),
    taskList: Object.fromEntries(names.map((queue) => [taskName(program, queue), task])),
  })
  let isStopping = false
  return {
    ended: runner.promise,
    stop: async () => {
      if (isStopping) return await runner.promise
      isStopping = true
      await runner.stop()
    },
  }
}
