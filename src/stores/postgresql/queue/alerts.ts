/** Alerts of shared and scheduled runs, for every host that works on them. Times are by the clock of the database. */
import { createHash } from 'node:crypto'
import type { AlertKey } from '../../../model/run/alert.ts'
import { CONFIRM_MS, type AlertState } from '../../../model/run/alert-memory.ts'
import type { AlertStore, AlertNote, LossReport } from '../../../model/share/queue-port.ts'
import { queueJsonbText } from './json.ts'
import { ms, isSilentSql } from './read-state.ts'
import type { QueuePool } from './pool.ts'
import { QUEUE_SCHEMA } from './schema.ts'

/** Table of alerts, with its schema. */
export const ALERTS = `${QUEUE_SCHEMA}.sluice_alerts`
/** Value of `cause` in the second row of an alert, by its state. The sender confirms the alert by deleting this row. */
const UNSENT: Readonly<Record<AlertState, string>> = { raised: 'unsent', cleared: 'unsent end' }
const LATE = isSilentSql('u.since', CONFIRM_MS)
const IS_OVER = `EXISTS (SELECT FROM ${ALERTS} e WHERE e.key_digest = $8 AND e.cause = '${UNSENT.cleared}')`

const NOW = ms('clock_timestamp()')
const HAS_REPORT = `lost -> 'isReported'::text IS NOT NULL`

const isLate = (field: string): string => `(lost ->> '${field}'::text)::float8 < ${NOW} - ${CONFIRM_MS}::float8`

/**
 * For each report about the loss of a task: how it changes the column `lost` of the task. `reportedAt` and `overAt` are
 * the times at which a sender began to send the loss and its end. Each is removed when the sender confirms. If no sink
 * accepts the alert, the sender does not confirm it, and it is sent again after `CONFIRM_MS`.
 * @property becomes SQL: new value of the column
 * @property where SQL: condition for the rows to change
 */
export const LOSS_REPORTS: Readonly<Record<LossReport, { readonly becomes: string; readonly where: string }>> = {
  reported: {
    becomes: `lost || jsonb_build_object('isReported', true, 'reportedAt', ${NOW})`,
    where: `lost -> 'overAt'::text IS NULL AND (lost -> 'isReported'::text IS NULL OR ${isLate('reportedAt')})`,
  },
  sent: { becomes: `lost - 'reportedAt'::text`, where: HAS_REPORT },
  over: {
    becomes: `lost || jsonb_build_object('overAt', ${NOW})`,
    // The end is sent only after the report of the loss, so that no sink receives an end without a beginning.
    where: `${HAS_REPORT} AND (lost -> 'overAt'::text IS NULL AND lost -> 'reportedAt'::text IS NULL OR ${isLate('overAt')})`,
  },
  forgotten: { becomes: 'NULL', where: `lost -> 'overAt'::text IS NOT NULL` },
}

/** SQL condition: the alert `a` has been unconfirmed for `CONFIRM_MS`, so another sender may send it. */
export function isAlertUnconfirmed(a: string): string {
  return `EXISTS (SELECT FROM ${ALERTS} u WHERE u.about = ${a}.about AND u.table_name = ${a}.table_name AND u.cause = '${UNSENT.raised}' AND ${LATE})`
}

export class PostgresAlerts implements AlertStore {
  readonly #pool: QueuePool

  constructor(pool: QueuePool) {
    this.#pool = pool
  }

  async begin(key: AlertKey, { at, run, chunks = [] }: AlertNote = {}): ReturnType<AlertStore['begin']> {
    // `xmax` is 0 in a row that this statement inserted.
    const { rows } = await this.#pool.ask<{ fresh: boolean; since: number }>(
      `WITH standing AS (
         INSERT INTO ${ALERTS} AS a (key_digest, about, cause, table_name, since, run_id, chunks)
         VALUES ($1, $2, $3, $4, coalesce(pg_catalog.to_timestamp($5::float8 / 1000), clock_timestamp()), $6, $7)
         ON CONFLICT (key_digest) DO UPDATE SET run_id = coalesce(excluded.run_id, a.run_id),
           since = CASE WHEN ${IS_OVER} THEN excluded.since ELSE a.since END,
           chunks = CASE WHEN ${IS_OVER} THEN excluded.chunks
             ELSE a.chunks || (SELECT coalesce(jsonb_agg(c), '[]') FROM jsonb_array_elements(excluded.chunks) c WHERE NOT a.chunks @> c) END
         RETURNING a.xmax = 0 AS fresh, ${ms('a.since')} AS since),
       unsent AS (
         INSERT INTO ${ALERTS} AS u (key_digest, about, cause, table_name)
         SELECT $8, $2, '${UNSENT.raised}', $4 FROM standing WHERE fresh OR EXISTS (SELECT FROM ${ALERTS} e WHERE e.key_digest = $8)
         ON CONFLICT (key_digest) DO UPDATE SET since = clock_timestamp(), cause = excluded.cause
         WHERE (SELECT fresh FROM standing) OR u.cause = '${UNSENT.cleared}' OR ${LATE}
         RETURNING 1)
       SELECT EXISTS (SELECT FROM unsent) AS fresh, since FROM standing`,
      [digestOf(key), key.scope, key.cause, key.table, at ?? null, run ?? null, queueJsonbText(chunks), unsentOf(key)],
    )
    const [row] = rows
    return { is: row?.fresh === false ? 'stands' : 'new', since: row?.since ?? at ?? 0 }
  }

  async moved(key: AlertKey, chunks: readonly string[]): Promise<boolean> {
    const { rows } = await this.#pool.ask<{ none: boolean }>(
      `UPDATE ${ALERTS} SET chunks = chunks - $2::text[] WHERE key_digest = $1 RETURNING chunks = '[]' AS none`,
      [digestOf(key), chunks],
    )
    return rows[0]?.none === true
  }

  async end(key: AlertKey): ReturnType<AlertStore['end']> {
    const { rows } = await this.#pool.ask<{ since: number }>(
      `WITH standing AS (SELECT a.about, a.table_name, ${ms('a.since')} AS since FROM ${ALERTS} a WHERE a.key_digest = $1 FOR UPDATE),
       unsent AS (
         INSERT INTO ${ALERTS} AS u (key_digest, about, cause, table_name)
         SELECT $2, s.about, '${UNSENT.cleared}', s.table_name FROM standing s
         ON CONFLICT (key_digest) DO UPDATE SET since = clock_timestamp(), cause = excluded.cause
         WHERE u.cause <> '${UNSENT.cleared}' OR ${LATE}
         RETURNING 1)
       SELECT since FROM standing WHERE EXISTS (SELECT FROM unsent)`,
      [digestOf(key), unsentOf(key)],
    )
    const [row] = rows
    return row === undefined ? { is: 'none' } : { is: 'cleared', since: row.since }
  }

  async sent(key: AlertKey, state: AlertState): Promise<void> {
    await this.#pool.ask(
      // Lock the alert first, as every statement that changes both rows does: otherwise two of them deadlock.
      `WITH standing AS (SELECT FROM ${ALERTS} WHERE key_digest = $1 FOR UPDATE),
       sent AS (DELETE FROM ${ALERTS} WHERE EXISTS (SELECT FROM standing) IS NOT NULL AND key_digest = $2 AND cause = '${UNSENT[state]}' RETURNING 1)
       DELETE FROM ${ALERTS} WHERE key_digest = $1 AND '${state}' = 'cleared'::text AND EXISTS (SELECT FROM sent)`,
      [digestOf(key), unsentOf(key)],
    )
  }
}

/** Digest of a key: its text may be longer than an index entry allows. */
function digestOf({ scope, cause, table }: AlertKey, ...more: readonly string[]): string {
  return createHash('sha256')
    .update(JSON.stringify([scope, cause, table, ...more]))
    .digest('hex')
}

/** Digest of an alert's second row, which exists until the sender confirms. The row has no run, so no list shows it. */
const unsentOf = (key: AlertKey): string => digestOf(key, 'unsent')
