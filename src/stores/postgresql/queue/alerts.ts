/** Which alerts of shared and scheduled runs stand, for every host that works on them. Times are those of the database. */
import { createHash } from 'node:crypto'
import type { AlertKey } from '../../../model/alert-memory.ts'
import type { AlertBook } from '../../queue-port.ts'
import { ms } from './look.ts'
import type { QueuePool } from './pool.ts'
import { QUEUE_SCHEMA } from './schema.ts'

const ALERTS = `${QUEUE_SCHEMA}.sluice_alerts`

export class PostgresAlerts implements AlertBook {
  readonly #pool: QueuePool

  constructor(pool: QueuePool) {
    this.#pool = pool
  }

  async begin(key: AlertKey): ReturnType<AlertBook['begin']> {
    // Nothing is returned for a row that another host has put there: then it is read.
    const { rows } = await this.#pool.ask<{ since: number }>(
      `INSERT INTO ${ALERTS} (key_digest, about, cause, table_name) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING RETURNING ${ms('since')} AS since`,
      [digestOf(key), key.scope, key.cause, key.table],
    )
    const [fresh] = rows
    if (fresh !== undefined) return { is: 'new', since: fresh.since }
    const standing = await this.#pool.ask<{ since: number }>(
      `SELECT ${ms('since')} AS since FROM ${ALERTS} WHERE key_digest = $1`,
      [digestOf(key)],
    )
    const [found] = standing.rows
    // Cleared in between: it is anew.
    return found === undefined ? await this.begin(key) : { is: 'stands', since: found.since }
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
