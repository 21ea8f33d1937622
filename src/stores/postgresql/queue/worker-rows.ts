/** Queries of a worker: claimed tasks, unconfirmed runs, and the removal of old rows of workers. */
import type { PoolClient } from 'pg'
import type { TransientFailures } from '../../../model/share/distributed.ts'
import { systemClock } from '../../../shared/clock.ts'
import type { ClaimedTask, TaskKey, TaskRequests } from '../../../model/share/queue-port.ts'
import { unconfirmedSql } from './read-state.ts'
import type { QueuePool } from './pool.ts'
import { QUEUE_SCHEMA } from './schema.ts'

/** Row that the query for claiming a task returns. */
export type ClaimRecord = Omit<ClaimedTask, keyof TaskKey | 'sharedRun' | 'rested' | 'orders'> &
  Omit<TaskRequests, 'isOver'> & {
    readonly rests: number
    readonly cause: TransientFailures['cause']
    readonly resumed: string | null
  }

export async function unconfirmedRuns(client: PoolClient, identity: string): Promise<readonly string[]> {
  const { rows } = await client.query<{ run_id: string }>(
    `SELECT r.run_id FROM ${QUEUE_SCHEMA}.sluice_runs r WHERE ${unconfirmedSql('$1')} ORDER BY r.run_id`,
    [identity],
  )
  return rows.map(({ run_id }) => run_id)
}

const AGAIN_MS = 3_600_000

/** Removes rows of workers that ended or were lost long ago, because each start of a worker adds a row. */
export class OldWorkers {
  #readAt = Number.NEGATIVE_INFINITY

  /**
   * At most once an hour, deletes workers that are silent for seven days. A worker is kept while a task names it,
   * because lists of tasks show its host.
   */
  async forget(pool: QueuePool): Promise<void> {
    const now = systemClock.ticks()
    if (now - this.#readAt < AGAIN_MS) return
    this.#readAt = now
    await pool.ask(
      `DELETE FROM ${QUEUE_SCHEMA}.sluice_workers w
       WHERE w.beat_at < now() - interval '7 days' AND NOT EXISTS (SELECT FROM ${QUEUE_SCHEMA}.sluice_run_slots s WHERE s.worker_id = w.worker_id)`,
    )
  }
}
