/** Rows that a worker reads from the queue, and removes. */
import type { PoolClient } from 'pg'
import type { RunRequests } from '../../../model/share/distributed.ts'
import { systemClock } from '../../../shared/clock.ts'
import type { ErrorInfo } from '../../../shared/errors.ts'
import type { QueuedStore, SlotKey } from '../../../model/share/queue-port.ts'
import { unconfirmedSql } from './look.ts'
import type { QueuePool } from './pool.ts'
import { QUEUE_SCHEMA } from './schema.ts'

export type ClaimRecord = {
  readonly fence: number
  readonly rests: number
  readonly rested_for: ErrorInfo | null
  readonly about: string
  readonly kind: string
  readonly takes_turns: boolean
  readonly operation: unknown
  readonly stores: readonly QueuedStore[]
  readonly command_line: string
  readonly mark: string | null
  readonly resumed: string | null
  readonly on_call: boolean
  readonly wishes: RunRequests
  readonly working: number
}

export type KeyRecord = { readonly run_id: string; readonly slot_no: number }

export async function unconfirmedRuns(client: PoolClient, identity: string): Promise<readonly string[]> {
  const { rows } = await client.query<{ run_id: string }>(
    `SELECT r.run_id FROM ${QUEUE_SCHEMA}.sluice_runs r WHERE ${unconfirmedSql('$1')} ORDER BY r.run_id`,
    [identity],
  )
  return rows.map(({ run_id }) => run_id)
}

export function keysOf(rows: readonly KeyRecord[]): readonly SlotKey[] {
  return rows.map(({ run_id, slot_no }) => ({ runId: run_id, no: slot_no }))
}

const AGAIN_MS = 3_600_000

/** Removes rows of workers that ended or were lost long ago: each start of a worker adds one. */
export class OldWorkers {
  #readAt = Number.NEGATIVE_INFINITY

  /** Once an hour, deletes workers silent for seven days. Workers of slots stay: lists of slots show their host. */
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
