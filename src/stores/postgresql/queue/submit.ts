/** A run and its slots, with their jobs. */
import type { PoolClient } from 'pg'
import type { QueuedRun } from '../../../model/share/queue-port.ts'
import { queueSlots } from './jobs.ts'
import { QUEUE_SCHEMA } from './schema.ts'

/** Creates the run and queues its slots, in the caller's transaction. @param identity of the database of the queue */
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
  await queueSlots(client, { where: "s.run_id = $2 AND s.state = 'queued'", values: [runId] })
}
