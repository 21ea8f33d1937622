/** What tells the database of a queue from a copy of it, as far as a plain login may ask. */
import type { QueryResult, QueryResultRow } from 'pg'
import { asSluiceError } from '../../../shared/errors.ts'

export type Ask = <R extends QueryResultRow>(text: string, values?: readonly unknown[]) => Promise<QueryResult<R>>

const DATABASE = `SELECT oid::text AS database, datname::text AS name, pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE') AS may
  FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()`
const SYSTEM = 'SELECT system_identifier::text AS system FROM pg_catalog.pg_control_system()'
/** Of the log that is written now: that of the last checkpoint is older behind a promotion. A standby writes none. */
const TIMELINE = `SELECT CASE WHEN NOT pg_catalog.pg_is_in_recovery()
  THEN pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 1, 8) END AS timeline`

/** Marks of the database that a session of a queue is in. */
export class QueueIdentity {
  readonly #ask: Ask
  /** Services that keep their log elsewhere have no such function. */
  #tellsTimeline = true

  constructor(ask: Ask) {
    this.#ask = ask
  }

  /**
   * @returns as JSON: number and name of the database, the number of its server where the login may read it, and the timeline of its log, which a promotion and a restore
   * from a backup change. A copy of the files of a whole server has the same until it is promoted
   */
  async read(): Promise<string> {
    const { rows } = await this.#ask<{ database: string; name: string; may: boolean }>(DATABASE)
    const { database, name, may } = rows[0] ?? { database: '', name: '', may: false }
    const system = may ? (await this.#ask<{ system: string }>(SYSTEM)).rows[0]?.system : undefined
    const timeline = this.#tellsTimeline ? await this.#timeline() : null
    return JSON.stringify({
      database,
      name,
      ...(system === undefined ? {} : { system }),
      ...(timeline === null ? {} : { timeline }),
    })
  }

  async #timeline(): Promise<string | null> {
    try {
      return (await this.#ask<{ timeline: string | null }>(TIMELINE)).rows[0]?.timeline ?? null
    } catch (error) {
      if (asSluiceError(error).retryable) throw error
      this.#tellsTimeline = false
      return null
    }
  }
}

/** Whether two identities differ by their timelines and by nothing else: the server was promoted, or restored from a backup. */
export function isSameServer(one: string, other: string): boolean {
  const [a, b] = [one, other].map((text) => JSON.parse(text) as Readonly<Record<string, string>>)
  const without = (of: Readonly<Record<string, string>> | undefined): string => JSON.stringify({ ...of, timeline: '' })
  return without(a) === without(b)
}

/** Whether an identity was read on a standby, where one before it had a timeline: there nothing can be written, and what timeline it will have is not known. */
export function isOnStandby(before: string, now: string): boolean {
  const [a, b] = [before, now].map((text) => JSON.parse(text) as Readonly<Record<string, string>>)
  return a?.['timeline'] !== undefined && b?.['timeline'] === undefined
}

/**
 * SQL: whether a row was confirmed in another database. What one of both did not know says nothing.
 * @param identity the parameter with what `QueueIdentity` reads
 * @param row alias of a schedule or a run
 */
export function elsewhere(identity: string, row: 's' | 'r'): string {
  // Who only looks may find an older queue.
  const noted = `nullif(to_jsonb(${row}) -> 'confirmed_in'::text, 'null')`
  return `EXISTS (SELECT FROM jsonb_each_text(${noted}) x WHERE (${identity}::jsonb ->> x.key) <> x.value)`
}
