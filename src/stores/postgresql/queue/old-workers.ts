/** Removes rows of workers that ended or were lost long ago: each start of a worker adds one. */
import { systemClock } from '../../../shared/clock.ts'
import type { QueuePool } from './pool.ts'
import { QUEUE_SCHEMA } from './schema.ts'

const AGAIN_MS = 3_600_000

export class OldWorkers {
  #readAt = Number.NEGATIVE_INFINITY

  /** Once an hour, deletes workers silent for seven days. A worker that a slot names stays: its host is read there. */
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
