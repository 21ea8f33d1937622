/**
 * A run and its tasks, with jobs of graphile-worker for the tasks. Each task has one job key, so a task that is queued
 * twice has one job.
 */
import type { PoolClient } from 'pg'
import type { TaskKey, QueuedRun } from '../../../model/share/queue-port.ts'
import { QUEUE_SCHEMA } from './schema.ts'

/**
 * Name that graphile-worker stores with the jobs of a program version in a queue. A worker takes only jobs with the
 * names of its own program version and queues.
 */
export function taskName(program: string, queue: string | null): string {
  return `sluice slot, ${program}${queue === null ? '' : `, ${queue}`}`
}

/** Flag of a run's jobs. A worker that refused the run forbids the flag, and gets no job of it. */
export const jobFlag = (runId: string): string => `run ${runId}`

/** SQL expression: value of `jobs.key` for the task `s`. */
const KEY = "'sluice/' || s.run_id || '/' || s.slot_no"

/** Tasks to queue or to unqueue: SQL condition and its values. */
type Which = { readonly where: string; readonly values: readonly unknown[] }

/**
 * Queues the job of every matching task.
 * @param where SQL over `s`, a task; its first parameter is $2
 * @param restMs delay before a worker may take it, ms
 */
export async function queueTasks(client: PoolClient, { where, values }: Which, restMs = 0): Promise<void> {
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

/** Removes jobs that no worker has taken yet. @param where as in `queueTasks`, but its first parameter is $1 */
export async function unqueueTasks(client: PoolClient, { where, values }: Which): Promise<void> {
  await client.query(
    `SELECT count(graphile_worker.remove_job(${KEY})) FROM ${QUEUE_SCHEMA}.sluice_run_slots s WHERE ${where}`,
    [...values],
  )
}

/** SQL condition over `s`, a waiting task: it has no job that a worker would ever take. */
export const HAS_NO_JOB = `NOT EXISTS (SELECT FROM graphile_worker.jobs j WHERE j.key = ${KEY} AND j.attempts < j.max_attempts)`

/** Unlocks the jobs of tasks, whichever worker locked them: jobs of a lost worker would stay locked for four hours. */
export async function unlockJobs(client: PoolClient, keys: readonly TaskKey[]): Promise<void> {
  if (keys.length === 0) return
  await client.query(
    `SELECT graphile_worker.force_unlock_workers(array_agg(DISTINCT j.locked_by))
     FROM graphile_worker.jobs j WHERE j.locked_by IS NOT NULL AND j.key = ANY($1)`,
    [keys.map(({ runId, no }) => `sluice/${runId}/${no}`)],
  )
}

/** Creates the run and queues its tasks, in the caller's transaction. @param identity of the database of the queue */
export async function submitRun(client: PoolClient, run: QueuedRun, identity: string): Promise<void> {
  const { runId, kind, takesTurns, operation, stores, commandLine, source, target, program, actor, host, queue } = run
  await client.query(
    `INSERT INTO ${QUEUE_SCHEMA}.sluice_runs
       (run_id, kind, operation, stores, command_line, source, target, program, actor, host, queue, takes_turns, mark, confirmed_in)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
    [
      runId,
      kind,
      JSON.stringify(operation),
      JSON.stringify(stores),
      commandLine,
      source,
      target,
      program,
      actor,
      host,
      queue,
      takesTurns,
      run.mark ?? null,
      identity,
    ],
  )
  await client.query(
    `INSERT INTO ${QUEUE_SCHEMA}.sluice_run_slots (run_id, slot_no, about, operation, compares, state, exit_code)
     SELECT $1, slot.no, slot.about, slot.operation, coalesce(slot."onCall", false), CASE WHEN slot."onCall" THEN 'ended' ELSE 'queued' END,
       CASE WHEN slot."onCall" THEN 0 END
     FROM ROWS FROM (jsonb_to_recordset($2) AS (about text, operation jsonb, "onCall" boolean)) WITH ORDINALITY AS slot (about, operation, "onCall", no)`,
    [runId, JSON.stringify(run.slots)],
  )
  await queueTasks(client, { where: "s.run_id = $2 AND s.state = 'queued'", values: [runId] })
}
