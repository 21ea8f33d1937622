/** Identity of a database, independent of the address by which it is reached. */
import type { Origin } from '../../../model/copy/identification-port.ts'
import { isConnectionLoss } from '../server/server-errors.ts'
import type { PostgresSettings } from '../server/settings.ts'
import type { CopySession } from '../server/session.ts'

const SYSTEM = 'SELECT system_identifier FROM pg_catalog.pg_control_system()'
const DATABASE = 'SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()'

/** System identifier of the server (its address if the server denies the identifier) and OID of the database. */
export async function databaseIdentity(session: CopySession, settings: PostgresSettings): Promise<string> {
  const database = (await session.one(DATABASE)) ?? settings.database
  return `postgresql/${await serverIdentity(session, settings)}/${database}`
}

/** System identifier of the server; its address if the server denies the identifier. */
export async function serverIdentity(session: CopySession, { host, port }: PostgresSettings): Promise<string> {
  try {
    const system = await session.one(SYSTEM)
    if (system !== null) return system
  } catch {
    // Some services deny this function.
  }
  return `${host}:${port}`
}

/** Start time of the server, to the microsecond. */
export const STARTED = `SELECT pg_catalog.to_char(pg_catalog.timezone('UTC'::text, pg_catalog.pg_postmaster_start_time()), 'YYYYMMDDHH24MISSUS'::text)`

/**
 * Identity that a copy of the database does not share: cluster, database, and the timeline that is written now. A
 * failover or a restore to a point in time begins a new timeline. It is read from the current WAL file, because the
 * control file has only the timeline of the last checkpoint.
 */
export async function originOf(session: CopySession): Promise<Origin> {
  const facts: Readonly<Record<string, string>> = {
    system: SYSTEM,
    database: DATABASE,
    timeline: `SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN NULL
      ELSE pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 1, 8) END`,
  }
  const known: Record<string, string> = {}
  for (const [name, sql] of Object.entries(facts)) {
    try {
      const [row] = await session.ask(sql)
      if (row?.[0] != null) known[name] = row[0]
    } catch (error) {
      // Some services deny these functions. A lost connection is an error: the facts may exist.
      if (isConnectionLoss(error)) throw error
    }
  }
  return known
}
