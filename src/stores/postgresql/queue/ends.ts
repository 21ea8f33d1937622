/** How a shared run ends: with its last slot, or because somebody wishes it. */
import type { PoolClient } from 'pg'
import type { EndedRun } from '../../../model/share/distributed.ts'
import { EXIT_OF_KIND, type ErrorInfo } from '../../../shared/errors.ts'
import { queueSlots, unlockJobs, unqueueSlots } from './jobs.ts'
import { ms, silent } from './look.ts'
import { ON_CALL, QUEUE_SCHEMA } from './schema.ts'

/** Whether anything of a run is left out as asked. Its row is the caller's. */
export async function leavesOut(client: PoolClient, runId: string): Promise<boolean> {
  const { rows } = await client.query<{ leaves: boolean }>(
    `SELECT coalesce(wishes -> 'tables'::text, '[]') @> '[{"held": "skipped"}]' AS leaves FROM ${QUEUE_SCHEMA}.sluice_runs WHERE run_id = $1`,
    [runId],
  )
  return rows[0]?.leaves === true
}

/** Whether somebody wishes a run to stop. Its row is the caller's until the transaction ends. */
export async function isToStop(client: PoolClient, runId: string): Promise<boolean> {
  const { rows } = await client.query<{ stops: boolean }>(
    `SELECT (wishes -> 'stop'::text = 'true') IS TRUE AS stops FROM ${QUEUE_SCHEMA}.sluice_runs WHERE run_id = $1 FOR UPDATE`,
    [runId],
  )
  return rows[0]?.stops === true
}

/** Ends slots that wait, and those of lost workers, and the run where none works: it was asked to stop. */
export async function endOfStopped(client: PoolClient, runId: string): Promise<EndedRun | null> {
  const { rows } = await client.query<{ no: number }>(
    `UPDATE ${QUEUE_SCHEMA}.sluice_run_slots s SET state = 'queued', fence = s.fence + 1, rate = 0
     WHERE s.run_id = $1 AND s.state = 'working' AND ${silent('s.beat_at')} RETURNING s.slot_no AS no`,
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
 * Slots that wait are not needed any more: their jobs go, and they end.
 * @param end `exitCode`: of all slots of the run, which keep the error that they rested for. `shared`: the error, as jsonb, of the slot that has done the rest of
 * an operation that they share, null where it ended well; they have done nothing at its end, and get no exit code
 */
export async function dropQueued(
  client: PoolClient,
  runId: string,
  end: { readonly exitCode: number } | { readonly shared: string | null },
): Promise<void> {
  const isShared = 'shared' in end
  const where = `s.run_id = $1 AND s.state = 'queued'${isShared ? ` AND s.operation IS NULL AND NOT ${ON_CALL}` : ''}`
  await unqueueSlots(client, { where, values: [runId] })
  await client.query(
    `UPDATE ${QUEUE_SCHEMA}.sluice_run_slots s SET state = 'ended', ended_at = clock_timestamp(), exit_code = $2,
       error = CASE WHEN $3 THEN $4::jsonb ELSE s.error END
     WHERE ${where}`,
    [runId, isShared ? null : end.exitCode, isShared, isShared ? end.shared : null],
  )
}

/**
 * Notes the end of a run of which nothing is queued or worked on. Slots that share one operation tell of all of it: the last one to say how it stands counts.
 * Of slots with work of their own the worst counts.
 * @returns null where it has not ended, or had before
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
         -- Who is on call says nothing of the whole.
         ${ON_CALL},
         -- Stopped is no verdict where another slot has one, unless work of its own was left.
         CASE WHEN s.operation IS NULL THEN s.exit_code = ${EXIT_OF_KIND.stopped} END,
         CASE WHEN s.operation IS NULL THEN s.ended_at END DESC,
         CASE s.exit_code WHEN 0 THEN 3 WHEN ${EXIT_OF_KIND.stopped} THEN 1 ELSE 0 END,
         s.slot_no
       LIMIT 1) verdict
     WHERE r.run_id = $1 AND r.status = 'running'
       AND NOT EXISTS (SELECT FROM ${QUEUE_SCHEMA}.sluice_run_slots s WHERE s.run_id = $1 AND s.state <> 'ended')
     RETURNING r.run_id, r.kind, r.source, r.target, r.program, r.status, r.exit_code, r.error, ${ms('r.begun_at')} AS begun_at, ${ms('r.ended_at')} AS ended_at,
       r.wishes ->> 'resumedAt'::text AS resumed`,
    [runId],
  )
  const [row] = rows
  if (row === undefined) return null
  const { kind, source, target, program, status, exit_code, error, begun_at, ended_at, resumed } = row
  return {
    runId: row.run_id,
    sharedRun: sharedRunOf(row.run_id, resumed),
    kind,
    source,
    target,
    program,
    status,
    exitCode: exit_code,
    error,
    from: resumed === null ? begun_at : Number(resumed),
    endedAt: ended_at,
  }
}

type EndRecord = Readonly<
  Record<'run_id' | 'kind' | 'program', string> & Record<'source' | 'target' | 'resumed', string | null>
> &
  Readonly<Record<'exit_code' | 'begun_at' | 'ended_at', number>> & {
    readonly status: EndedRun['status']
    readonly error: ErrorInfo | null
  }

/** As `ClaimedSlot.sharedRun`. @param resumed ms since the epoch; null of a run that nobody has gone on with */
export function sharedRunOf(runId: string, resumed: string | null): string {
  return resumed === null ? runId : `${runId}/${resumed}`
}

/** Slots that compare with the one that has a stream wait for a worker, unless one has them. */
export async function queueOnCall(client: PoolClient, runId: string): Promise<void> {
  const where = `s.run_id = $1 AND s.compares AND s.state = 'ended'`
  const { rows } = await client.query<{ slot_no: number }>(
    `UPDATE ${QUEUE_SCHEMA}.sluice_run_slots s SET state = 'queued', rests = 0, ended_at = NULL, exit_code = NULL, error = NULL WHERE ${where} RETURNING s.slot_no`,
    [runId],
  )
  const numbers = rows.map(({ slot_no }) => slot_no)
  await queueSlots(client, { where: 's.run_id = $2 AND s.slot_no = ANY($3)', values: [runId, numbers] })
}

/** Nobody is left to compare with: those that still wait for a worker are done. */
export async function dropOnCall(client: PoolClient, runId: string): Promise<void> {
  const where = `s.run_id = $1 AND s.compares AND s.state = 'queued'
    AND NOT EXISTS (SELECT FROM ${QUEUE_SCHEMA}.sluice_run_slots o WHERE o.run_id = $1 AND NOT o.compares AND o.state <> 'ended')`
  await unqueueSlots(client, { where, values: [runId] })
  await client.query(
    `UPDATE ${QUEUE_SCHEMA}.sluice_run_slots s SET state = 'ended', ended_at = clock_timestamp(), exit_code = 0 WHERE ${where}`,
    [runId],
  )
}

/** A slot waits again, and its job with it. */
export async function queueAgain(client: PoolClient, runId: string, no: number, restMs = 0): Promise<void> {
  await queueSlots(client, { where: 's.run_id = $2 AND s.slot_no = $3', values: [runId, no] }, restMs)
}
