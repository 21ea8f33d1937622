/** Ends runs that every worker refuses: such a run would never start, and its schedule would wait for its end. */
import type { PoolClient } from 'pg'
import { REFUSED_FOR_MS, type EndedRun } from '../../../model/share/distributed.ts'
import { SluiceError, type ErrorInfo } from '../../../shared/errors.ts'
import { dropQueued, endOfRun } from './ends.ts'
import { queueJsonbText } from './json.ts'
import { isSilentSql, isSteadySql, TAKES } from './read-state.ts'
import { REFUSALS_TABLE, RUNS_TABLE, SLOTS_TABLE, WORKERS_TABLE } from './schema.ts'

/** Maximum number of refusals that a message names. */
const NAMED = 5

const HAS_REFUSED = `EXISTS (SELECT FROM ${REFUSALS_TABLE} f WHERE f.run_id = r.run_id AND f.worker_id = w.worker_id)`
const LONG_AGO = `now() - ${REFUSED_FOR_MS} * interval '1 millisecond'`

/**
 * Ends runs that every worker refuses. A live worker must have refused the run, and the first refusal must be older
 * than `REFUSED_FOR_MS`. A worker that takes tasks of the run, but has not refused it, must not have sent a heartbeat
 * in this time. No task of the run may be in progress. The queued tasks get the error, and a worker reports it.
 * @param workerId id of the caller: while `isSteadySql` is false for this worker, it ends no run
 */
export async function endRefused(client: PoolClient, workerId: string): Promise<readonly EndedRun[]> {
  const { rows } = await client.query<{ run_id: string }>(
    `SELECT r.run_id FROM ${RUNS_TABLE} r
     WHERE r.status = 'running' AND ${isSteadySql('$1')} AND EXISTS (SELECT FROM ${SLOTS_TABLE} s WHERE s.run_id = r.run_id AND s.state = 'queued')
       AND NOT EXISTS (SELECT FROM ${SLOTS_TABLE} s WHERE s.run_id = r.run_id AND s.state = 'working')
       AND (SELECT min(f.refused_at) FROM ${REFUSALS_TABLE} f WHERE f.run_id = r.run_id) < ${LONG_AGO}
       AND EXISTS (SELECT FROM ${WORKERS_TABLE} w WHERE w.ended_at IS NULL AND NOT ${isSilentSql('w.beat_at')} AND ${TAKES} AND ${HAS_REFUSED})
       AND NOT EXISTS (SELECT FROM ${WORKERS_TABLE} w WHERE w.beat_at > ${LONG_AGO} AND ${TAKES} AND NOT ${HAS_REFUSED})
     ORDER BY r.run_id FOR UPDATE OF r SKIP LOCKED`,
    [workerId],
  )
  const ended: EndedRun[] = []
  for (const { run_id } of rows) ended.push(...(await endOne(client, run_id)))
  return ended
}

async function endOne(client: PoolClient, runId: string): Promise<readonly EndedRun[]> {
  const { rows } = await client.query<{ host: string; error: ErrorInfo }>(
    `SELECT DISTINCT ON (host, error ->> 'message'::text) host, error FROM ${REFUSALS_TABLE} WHERE run_id = $1 ORDER BY host, error ->> 'message'::text`,
    [runId],
  )
  const error = refusedByAll(runId, rows)
  await client.query(`UPDATE ${SLOTS_TABLE} SET error = $2, unreported = $2 WHERE run_id = $1 AND state = 'queued'`, [
    runId,
    queueJsonbText(error.info()),
  ])
  await dropQueued(client, runId, { exitCode: error.exitCode })
  const ended = await endOfRun(client, runId)
  return ended === null ? [] : [ended]
}

function refusedByAll(
  runId: string,
  refusals: readonly { readonly host: string; readonly error: ErrorInfo }[],
): SluiceError {
  const named = refusals
    .slice(0, NAMED)
    .map(({ host, error }) => `${host}: ${error.message}${error.reason === undefined ? '' : ` (${error.reason})`}`)
  const more = refusals.length - named.length
  return new SluiceError('WORKERS_REFUSED', 'every worker that could execute this run refuses it', {
    reason: `${named.join('; ')}${more > 0 ? `; and ${more} more` : ''}`,
    hint: `correct these errors, or start a matching worker; then run sluice ctl ${runId} resume --distributed to queue the rest`,
  })
}
