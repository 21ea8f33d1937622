/**
 * Finds out if the database of a worker's queue is a copy, or was only promoted. If the worker used it before the
 * promotion, its runs and schedules stay confirmed.
 */
import type { ConfirmedCounts } from '../../../model/share/queue-port.ts'
import { isOtherDatabase, isOnStandby, isSameServer, type AskPostgres } from './identity.ts'
import { QUEUE_SCHEMA } from './schema.ts'

const NOTHING: ConfirmedCounts = { schedules: 0, runs: 0 }
/**
 * Number of heartbeats of this worker that a promoted standby may lack, because it is some seconds behind. If it lacks
 * more, completed work would run again.
 */
const MAX_MISSING = 2

/** Detects, for one worker, that the database of its queue is a copy or was promoted. */
export class Promotions {
  readonly #ask: AskPostgres
  readonly #workerId: string
  /** Identity of the database that this worker used last, and its first heartbeat there. */
  #seen: { readonly identity: string; readonly begun: string } | null = null
  /** Number of heartbeats in this worker's row. */
  #heartbeats = 0
  /** True if the row once lacked too many heartbeats. Recorded, because later heartbeats raise their number again. */
  #isSetBack = false

  constructor(ask: AskPostgres, workerId: string) {
    this.#ask = ask
    this.#workerId = workerId
  }

  /** @param beats number of heartbeats in the row of this worker, as its newest heartbeat returned it */
  noteHeartbeats(beats: number): void {
    // The count includes this heartbeat.
    if (beats - 1 < this.#heartbeats - MAX_MISSING) this.#isSetBack = true
    this.#heartbeats = Math.max(this.#heartbeats, beats)
  }

  /**
   * @param identity of the current database
   * @returns numbers of schedules and active runs that this call confirmed there
   */
  async carry(identity: string): Promise<ConfirmedCounts> {
    if (this.#seen?.identity === identity) return NOTHING
    const { rows } = await this.#ask<{ begun: string; beats: number }>(
      `SELECT begun_at::text AS begun, beats FROM ${QUEUE_SCHEMA}.sluice_workers WHERE worker_id = $1`,
      [this.#workerId],
    )
    const [before, begun] = [this.#seen, rows[0]?.begun]
    const beats = rows[0]?.beats ?? 0
    const seen = begun === undefined ? null : { identity, begun }
    // In a copy that this worker did not use, the worker has no row, or a row with a later start.
    const isOther = before === null || before.begun !== begun || !isSameServer(before.identity, identity)
    // The standby is about to be promoted; until then the earlier identity is kept.
    if (!isOther && isOnStandby(before.identity, identity)) return NOTHING
    if (isOther || this.#isSetBack || beats < this.#heartbeats - MAX_MISSING) {
      this.#seen = seen
      this.#heartbeats = beats
      this.#isSetBack = false
      return isOther ? NOTHING : { ...NOTHING, isSetBack: true }
    }
    const was = (row: 's' | 'r'): string => `NOT ${isOtherDatabase('$1', row)} AND ${isOtherDatabase('$2', row)}`
    const carried = await this.#ask<ConfirmedCounts>(
      `WITH schedules AS (UPDATE ${QUEUE_SCHEMA}.sluice_schedules s SET confirmed_in = $2 WHERE ${was('s')} RETURNING name),
         runs AS (UPDATE ${QUEUE_SCHEMA}.sluice_runs r SET confirmed_in = $2 WHERE ${was('r')} RETURNING status)
       SELECT (SELECT count(*)::int FROM schedules) AS schedules, (SELECT count(*)::int FROM runs WHERE status = 'running') AS runs`,
      [before.identity, identity],
    )
    this.#seen = seen
    return carried.rows[0] ?? NOTHING
  }
}
