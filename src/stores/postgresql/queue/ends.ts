/** How a shared run ends: with its last task, or on request. */
import type { PoolClient } from 'pg'
import type { EndedRun } from '../../../model/share/distributed.ts'
import { EXIT_OF_KIND } from '../../../shared/errors.ts'
import { queueTasks, unlockJobs, unqueueTasks } from './jobs.ts'
import { ms, isSilentSql } from './read-state.ts'
import { ON_CALL, QUEUE_SCHEMA } from './schema.ts'

/** True if a table of the run is left out on request. The caller has locked the row of the run. */
export async function leavesOut(client: PoolClient, runId: string): Promise<boolean> {
  const { rows } = await client.query<{ leaves: boolean }>(
    `SELECT coalesce(wishes -> 'tables'::text, '[]') @> '[{"held": "skipped"}]' AS leaves FROM ${QUEUE_SCHEMA}.sluice_runs WHERE run_id = $1`,
    [runId],
  )
  return rows[0]?.leaves === true
}

/** True if the run was asked to stop. Locks its row until the transaction ends. */
export async function isToStop(client: PoolClient, runId: string): Promise<boolean> {
  const { rows } = await client.query<{ stops: boolean }>(
    `SELECT (wishes -> 'stop'::text = 'true') IS TRUE AS stops FROM ${QUEUE_SCHEMA}.sluice_runs WHERE run_id = $1 FOR UPDATE`,
    [runId],
  )
  return rows[0]?.stops === true
}

/** For a run that must stop: ends waiting tasks and tasks of lost workers. Ends the run too if no task is active. */
export async function endOfStopped(client: PoolClient, runId: string): Promise<EndedRun | null> {
  const { rows } = await client.query<{ no: number }>(
    `UPDATE ${QUEUE_SCHEMA}.sluice_run_slots s SET state = 'queued', fence = s.fence + 1, rate = 0
     WHERE s.run_id = $1 AND s.state = 'working' AND ${isSilentSql('s.beat_at')} RETURNING s.slot_no AS no`,
    [runId],
  )
  await unlockJobs(
    client,
    rows.map(({ no }) => ({ runId, no })),
  )
  await dropQueued(client, runId, { exitCode: EXIT_OF_KIND.stopped })
  return await endOfRun(client, runId)
}

/**
 * Ends tasks that wait, and removes their jobs.
 * @param end `exitCode`: for all waiting tasks, which keep their last error. `shared`: error, as jsonb, of the task
 * that finished a shared operation; null if it succeeded. Waiting tasks of a shared operation get this error, but no
 * exit code, because they did not finish it
 */
export async function dropQueued(
  client: PoolClient,
  runId: string,
  end: { readonly exitCode: number } | { readonly shared: string | null },
): Promise<void> {
  const isShared = 'shared' in end
  const where = `s.run_id = $1 AND s.state = 'queued'${isShared ? ` AND s.operation IS NULL AND NOT ${ON_CALL}` : ''}`
  await unqueueTasks(client, { where, values: [runId] })
  await client.query(
    `UPDATE ${QUEUE_SCHEMA}.sluice_run_slots s SET state = 'ended', ended_at = clock_timestamp(), exit_code = $2,
       error = CASE WHEN $3 THEN $4::jsonb ELSE s.error END
     WHERE ${where}`,
    [runId, isShared ? null : end.exitCode, isShared, isShared ? end.shared : null],
  )
}

/**
 * Records the end of a run without queued or working tasks. Tasks that share one operation report its result: the run
 * gets the last result. If each task has its own operation, the run gets the worst result.
 * @returns null if the run is active, or ended earlier
 */
export async function endOfRun(client: PoolClient, runId: string): Promise<EndedRun | null> {
  const { rows } = await client.query<EndRecord>(
    `UPDATE ${QUEUE_SCHEMA}.sluice_runs r
     SET ended_at = clock_timestamp(), exit_code = verdict.exit_code, error = verdict.error,
       status = CASE verdict.exit_code WHEN 0 THEN 'ok' WHEN ${EXIT_OF_KIND.stopped} THEN 'stopped' WHEN ${EXIT_OF_KIND.usage} THEN 'refused'
         WHEN ${EXIT_OF_KIND.state} THEN 'refused' WHEN ${EXIT_OF_KIND.unsupported} THEN 'refused' ELSE 'failed' END
     FROM (
       SELECT s.exit_code, s.error FROM ${QUEUE_SCHEMA}.sluice_run_slots s WHERE s.run_id = $1
       ORDER BY
         -- A task on call decides the result only if the run has no other task.
         ${ON_CALL},
         -- Among tasks that share one operation, a stopped one decides only if all are stopped. A stopped task with an
         -- operation of its own ranks below a failed one and above a successful one.
         CASE WHEN s.operation IS NULL THEN s.exit_code = ${EXIT_OF_KIND.stopped} END,
         CASE WHEN s.operation IS NULL THEN s.ended_at END DESC,
         CASE s.exit_code WHEN 0 THEN 3 WHEN ${EXIT_OF_KIND.stopped} THEN 1 ELSE 0 END,
         s.slot_no
       LIMIT 1) verdict
     WHERE r.run_id = $1 AND r.status = 'running'
       AND NOT EXISTS (SELECT FROM ${QUEUE_SCHEMA}.sluice_run_slots s WHERE s.run_id = $1 AND s.state <> 'ended')
     RETURNING r.run_id AS "runId", r.kind, r.source, r.target, r.program, r.status, r.exit_code AS "exitCode", r.error, ${ms('r.begun_at')} AS "begunAt",
       ${ms('r.ended_at')} AS "endedAt", r.wishes ->> 'resumedAt'::text AS resumed`,
    [runId],
  )
  const [row] = rows
  if (row === undefined) return null
  const { resumed, begunAt, ...ended } = row
  return {
    ...ended,
    sharedRun: sharedRunOf(ended.runId, resumed),
    from: resumed === null ? begunAt : Number(resumed),
  }
}

type EndRecord = Omit<EndedRun, 'sharedRun' | 'from'> & {
  readonly resumed: string | null
  readonly begunAt: number
}

/** Id as in `ClaimedTask.sharedRun`. @param resumed ms since the epoch; null if the run was never resumed */
export function sharedRunOf(runId: string, resumed: string | null): string {
  return resumed === null ? runId : `${runId}/${resumed}`
}

/**
 * Queues again the tasks on call that have ended. A task on call (column `compares`) compares rows together with the
 * task of the stream. Tasks claimed by a worker are not changed.
 */
export async function queueOnCall(client: PoolClient, runId: string): Promise<void> {
  const where = `s.run_id = $1 AND s.compares AND s.state = 'ended'`
  const { rows } = await client.query<{ slot_no: number }>(
    `UPDATE ${QUEUE_SCHEMA}.sluice_run_slots s SET state = 'queued', rests = 0, ended_at = NULL, exit_code = NULL, error = NULL WHERE ${where} RETURNING s.slot_no`,
    [runId],
  )
  const numbers = rows.map(({ slot_no }) => slot_no)
  await queueTasks(client, { where: 's.run_id = $2 AND s.slot_no = ANY($3)', values: [runId, numbers] })
}

/** Ends the queued tasks on call if all other tasks have ended: then the stream that they would help does not run. */
export async function dropOnCall(client: PoolClient, runId: string): Promise<void> {
  const where = `s.run_id = $1 AND s.compares AND s.state = 'queued'
    AND NOT EXISTS (SELECT FROM ${QUEUE_SCHEMA}.sluice_run_slots o WHERE o.run_id = $1 AND NOT o.compares AND o.state <> 'ended')`
  await unqueueTasks(client, { where, values: [runId] })
  await client.query(
    `UPDATE ${QUEUE_SCHEMA}.sluice_run_slots s SET state = 'ended', ended_at = clock_timestamp(), exit_code = 0 WHERE ${where}`,
    [runId],
  )
}

/** Queues a task and its job again. */
export async function queueAgain(client: PoolClient, runId: string, no: number, restMs = 0): Promise<void> {
  await queueTasks(client, { where: 's.run_id = $2 AND s.slot_no = $3', values: [runId, no] }, restMs)
}
