/** What a worker knows of the queue that it is in: it was there before the server was promoted, so the database behind that is no copy. */
import type { Carried } from '../../../model/share/queue-port.ts'
import { elsewhere, isOnStandby, isSameServer, type Ask } from './identity.ts'
import { QUEUE_SCHEMA } from './schema.ts'

const NOTHING: Carried = { schedules: 0, runs: 0 }
/** Beats that a standby may lack which is promoted: it is behind by seconds. Of a queue that lacks more, what was done since would begin again. */
const LACKED = 2

/** One worker's. */
export class Promotions {
  readonly #ask: Ask
  readonly #workerId: string
  /** Where this worker was seen last, and when it was seen first there. */
  #seen: { readonly identity: string; readonly begun: string } | null = null
  /** How often this worker was heard of, by its row. */
  #beats = 0

  constructor(ask: Ask, workerId: string) {
    this.#ask = ask
    this.#workerId = workerId
  }

  /** @param beats what the queue has answered to one */
  beaten(beats: number): void {
    this.#beats = Math.max(this.#beats, beats)
  }

  /** @param identity of the database as it is now @returns how many schedules, and runs that go on, it has confirmed there */
  async carry(identity: string): Promise<Carried> {
    if (this.#seen?.identity === identity) return NOTHING
    const { rows } = await this.#ask<{ begun: string; beats: number }>(
      `SELECT begun_at::text AS begun, beats FROM ${QUEUE_SCHEMA}.sluice_workers WHERE worker_id = $1`,
      [this.#workerId],
    )
    const [before, begun] = [this.#seen, rows[0]?.begun]
    const seen = begun === undefined ? null : { identity, begun }
    // A copy that was made elsewhere has no row of this worker, or one that came later.
    if (before === null || before.begun !== begun || !isSameServer(before.identity, identity)) {
      this.#seen = seen
      return NOTHING
    }
    // It is about to be promoted: until then the place is the one before.
    if (isOnStandby(before.identity, identity)) return NOTHING
    const beats = rows[0]?.beats ?? 0
    if (beats < this.#beats - LACKED) {
      this.#seen = seen
      this.#beats = beats
      return { ...NOTHING, isSetBack: true }
    }
    const was = (row: 's' | 'r'): string => `NOT ${elsewhere('$1', row)} AND ${elsewhere('$2', row)}`
    const carried = await this.#ask<Carried>(
      `WITH schedules AS (UPDATE ${QUEUE_SCHEMA}.sluice_schedules s SET confirmed_in = $2 WHERE ${was('s')} RETURNING name),
         runs AS (UPDATE ${QUEUE_SCHEMA}.sluice_runs r SET confirmed_in = $2 WHERE ${was('r')} RETURNING status)
       SELECT (SELECT count(*)::int FROM schedules) AS schedules, (SELECT count(*)::int FROM runs WHERE status = 'running') AS runs`,
      [before.identity, identity],
    )
    this.#seen = seen
    return carried.rows[0] ?? NOTHING
  }
}
