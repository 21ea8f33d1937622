/** Which alerts of shared and scheduled runs stand, for every host that works on them. Times are those of the database. */
import { createHash } from 'node:crypto'
import type { AlertKey } from '../../../model/run/alert-memory.ts'
import type { AlertBook, AlertNote } from '../../../model/share/queue-port.ts'
import { jsonbText } from './json.ts'
import { ms } from './look.ts'
import type { QueuePool } from './pool.ts'
import { QUEUE_SCHEMA } from './schema.ts'

const ALERTS = `${QUEUE_SCHEMA}.sluice_alerts`

export class PostgresAlerts implements AlertBook {
  readonly #pool: QueuePool

  constructor(pool: QueuePool) {
    this.#pool = pool
  }

  async begin(key: AlertKey, { at, run, chunks = [] }: AlertNote = {}): ReturnType<AlertBook['begin']> {
    // `xmax` is 0 in a row that this statement has put there.
    const { rows } = await this.#pool.ask<{ fresh: boolean; since: number }>(
      `INSERT INTO ${ALERTS} AS a (key_digest, about, cause, table_name, since, run_id, chunks)
       VALUES ($1, $2, $3, $4, coalesce(pg_catalog.to_timestamp($5::float8 / 1000), clock_timestamp()), $6, $7)
       ON CONFLICT (key_digest) DO UPDATE SET run_id = coalesce(excluded.run_id, a.run_id),
         chunks = a.chunks || (SELECT coalesce(jsonb_agg(c), '[]') FROM jsonb_array_elements(excluded.chunks) c WHERE NOT a.chunks @> c)
       RETURNING a.xmax = 0 AS fresh, ${ms('a.since')} AS since`,
      [digestOf(key), key.scope, key.cause, key.table, at ?? null, run ?? null, jsonbText(chunks)],
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

  async end(key: AlertKey): ReturnType<AlertBook['end']> {
    const { rows } = await this.#pool.ask<{ since: number }>(
      `DELETE FROM ${ALERTS} WHERE key_digest = $1 RETURNING ${ms('since')} AS since`,
      [digestOf(key)],
    )
    const [row] = rows
    return row === undefined ? { is: 'none' } : { is: 'cleared', since: row.since }
  }
}

/** What is looked at may be told by more words than an index holds. */
function digestOf({ scope, cause, table }: AlertKey): string {
  return createHash('sha256')
    .update(JSON.stringify([scope, cause, table]))
    .digest('hex')
}
