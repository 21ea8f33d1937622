/** Identity of a queue's database: distinguishes the database from a copy of it. A plain login can read it. */
import type { QueryResult, QueryResultRow } from 'pg'
import { asSluiceError } from '../../../shared/errors.ts'

export type AskPostgres = <R extends QueryResultRow>(
  text: string,
  values?: readonly unknown[],
) => Promise<QueryResult<R>>

const DATABASE = `SELECT oid::text AS database, datname::text AS name, pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE') AS may
  FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()`
const SYSTEM = 'SELECT system_identifier::text AS system FROM pg_catalog.pg_control_system()'
/**
 * SQL: timeline of the current log; NULL on a standby. It is not read from the last checkpoint, which after a promotion
 * still has the older timeline.
 */
const TIMELINE = `SELECT CASE WHEN NOT pg_catalog.pg_is_in_recovery()
  THEN pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 1, 8) END AS timeline`

/** Identity of the database that a session of a queue uses. */
export class QueueIdentity {
  readonly #ask: AskPostgres
  /** False once the query for the timeline failed: some services store their log elsewhere and lack the function. */
  reportsTimeline = true

  constructor(ask: AskPostgres) {
    this.#ask = ask
  }

  /**
   * @returns JSON: OID and name of the database, system identifier of its server if the login may read it, and timeline
   * of its log. A promotion, or a restore from a backup, changes the timeline. A file copy of the whole server has the
   * same identity until it is promoted
   */
  async read(): Promise<string> {
    const { rows } = await this.#ask<{ database: string; name: string; may: boolean }>(DATABASE)
    const { database, name, may } = rows[0] ?? { database: '', name: '', may: false }
    const system = may ? (await this.#ask<{ system: string }>(SYSTEM)).rows[0]?.system : undefined
    const timeline = this.reportsTimeline ? await this.#timeline() : null
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
      this.reportsTimeline = false
      return null
    }
  }
}

/** True if two identities differ at most by timeline: the server was promoted, or restored from a backup. */
export function isSameServer(one: string, other: string): boolean {
  const [a, b] = [one, other].map((text) => JSON.parse(text) as Readonly<Record<string, string>>)
  const without = (of: Readonly<Record<string, string>> | undefined): string => JSON.stringify({ ...of, timeline: '' })
  return without(a) === without(b)
}

/** True if `now` was read on a standby and `before` was not. A standby is read-only; its next timeline is unknown. */
export function isOnStandby(before: string, now: string): boolean {
  const [a, b] = [before, now].map((text) => JSON.parse(text) as Readonly<Record<string, string>>)
  return a?.['timeline'] !== undefined && b?.['timeline'] === undefined
}

/**
 * SQL condition: the row was confirmed in another database. A fact that one of the two identities lacks is not
 * compared.
 * @param identity the parameter with the text that `QueueIdentity` reads
 * @param row alias of a schedule or a run
 */
export function isOtherDatabase(identity: string, row: 's' | 'r'): string {
  // A read-only session may find a queue of an older version, without this column.
  const noted = `nullif(to_jsonb(${row}) -> 'confirmed_in'::text, 'null')`
  return `EXISTS (SELECT FROM jsonb_each_text(${noted}) x WHERE (${identity}::jsonb ->> x.key) <> x.value)`
}
