/** What tells the database of a queue from a copy of it, as far as a plain login may ask. */
import type { QueryResult, QueryResultRow } from 'pg'

type Ask = <R extends QueryResultRow>(text: string) => Promise<QueryResult<R>>

const DATABASE = `SELECT oid::text AS database, datname::text AS name, pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE') AS may
  FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()`
const SYSTEM = 'SELECT system_identifier::text AS system FROM pg_catalog.pg_control_system()'

/** As JSON: number and name of the database, and the number of its server where the login may read it. A copy of the files of a whole server has the same. */
export async function queueIdentity(ask: Ask): Promise<string> {
  const { rows } = await ask<{ database: string; name: string; may: boolean }>(DATABASE)
  const { database, name, may } = rows[0] ?? { database: '', name: '', may: false }
  const system = may ? (await ask<{ system: string }>(SYSTEM)).rows[0]?.system : undefined
  return JSON.stringify({ database, name, ...(system === undefined ? {} : { system }) })
}

/**
 * SQL over `s`, a schedule: whether it was confirmed in another database. What one of both did not know says nothing.
 * @param identity the parameter with what `queueIdentity` returns
 */
export function elsewhere(identity: string): string {
  // Who only looks may find an older queue.
  const noted = "nullif(to_jsonb(s) -> 'confirmed_in'::text, 'null')"
  return `EXISTS (SELECT FROM jsonb_each_text(${noted}) x WHERE (${identity}::jsonb ->> x.key) <> x.value)`
}
