/** Jobs of graphile-worker for slots: one a slot, under a key, so that a slot which is queued twice waits once. */
import type { PoolClient } from 'pg'
import type { SlotKey } from '../../../model/share/queue-port.ts'
import { QUEUE_SCHEMA } from './schema.ts'

/** What a worker asks for: slots of programs like itself, in the queues that it takes from. */
export function taskName(program: string, queue: string | null): string {
  return `sluice slot, ${program}${queue === null ? '' : `, ${queue}`}`
}

/** The flag of a job by which a worker is given nothing of a run that it has refused. */
export const flagOf = (runId: string): string => `run ${runId}`

/** As `jobs.key` has it: SQL over columns `run_id` and `slot_no`. */
const KEY = "'sluice/' || s.run_id || '/' || s.slot_no"

/** What of a slot is queued: SQL that is true for it. */
type Which = { readonly where: string; readonly values: readonly unknown[] }

/**
 * Queues the job of every slot that is meant.
 * @param which SQL over `s`, a slot; its first parameter is $2
 * @param restMs before a worker may have it
 */
export async function queueSlots(client: PoolClient, { where, values }: Which, restMs = 0): Promise<void> {
  await client.query(
    `SELECT count(graphile_worker.add_job(
         'sluice slot, ' || r.program || coalesce(', ' || r.queue, ''),
         payload := json_build_object('runId', s.run_id, 'no', s.slot_no),
         run_at := now() + $1 * interval '1 millisecond',
         job_key := ${KEY},
         flags := ARRAY['run ' || s.run_id]))
     FROM ${QUEUE_SCHEMA}.sluice_run_slots s JOIN ${QUEUE_SCHEMA}.sluice_runs r USING (run_id)
     WHERE ${where}`,
    [restMs, ...values],
  )
}

/** Takes jobs back that no worker has yet. @param which as `queueSlots`, its first parameter is $1 */
export async function unqueueSlots(client: PoolClient, { where, values }: Which): Promise<void> {
  await client.query(
    `SELECT count(graphile_worker.remove_job(${KEY})) FROM ${QUEUE_SCHEMA}.sluice_run_slots s WHERE ${where}`,
    [...values],
  )
}

/** Slots that wait, and have no job that would ever be taken: SQL over `s`. */
export const HAS_NO_JOB = `NOT EXISTS (SELECT FROM graphile_worker.jobs j WHERE j.key = ${KEY} AND j.attempts < j.max_attempts)`

/** Lets go of the jobs of slots, whoever holds them: a worker that is lost would keep them for four hours. */
export async function unlockJobs(client: PoolClient, keys: readonly SlotKey[]): Promise<void> {
  if (keys.length === 0) return
  await client.query(
    `SELECT graphile_worker.force_unlock_workers(array_agg(DISTINCT j.locked_by))
     FROM graphile_worker.jobs j WHERE j.locked_by IS NOT NULL AND j.key = ANY($1)`,
    [keys.map(({ runId, no }) => `sluice/${runId}/${no}`)],
  )
}
