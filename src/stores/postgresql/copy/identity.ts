/** What tells a database from all others, by whatever name it is reached. */
import type { Origin } from '../../../model/copy/identification-port.ts'
import { isConnectionLoss } from '../server/server-errors.ts'
import type { PostgresSettings } from '../server/settings.ts'
import type { CopySession } from '../server/session.ts'

/** The server's own number and the database's in it; where the server keeps its number to itself, its address. */
export async function databaseIdentity(session: CopySession, settings: PostgresSettings): Promise<string> {
  const [row] = await session.ask(
    'SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()',
  )
  const database = row?.[0] ?? settings.database
  return `postgresql/${await serverIdentity(session, settings)}/${database}`
}

/** The server's own number, or its address. */
export async function serverIdentity(session: CopySession, { host, port }: PostgresSettings): Promise<string> {
  try {
    const [row] = await session.ask('SELECT system_identifier FROM pg_catalog.pg_control_system()')
    if (row?.[0] != null) return row[0]
  } catch {
    // Some services keep this function to themselves.
  }
  return `${host}:${port}`
}

/** The start of the server, to the microsecond. */
export const STARTED = `SELECT pg_catalog.to_char(pg_catalog.timezone('UTC'::text, pg_catalog.pg_postmaster_start_time()), 'YYYYMMDDHH24MISSUS'::text)`

/**
 * What tells a database from a copy of it: the cluster, the database in it, and the timeline that it writes now, which a failover or a restore to a point
 * in time begins anew. The control file names the timeline of the last checkpoint only, so the current WAL file is asked.
 */
export async function originOf(session: CopySession): Promise<Origin> {
  const facts: Readonly<Record<string, string>> = {
    system: 'SELECT system_identifier FROM pg_catalog.pg_control_system()',
    database: 'SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()',
    timeline: `SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN NULL
      ELSE pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 1, 8) END`,
  }
  const known: Record<string, string> = {}
  for (const [name, sql] of Object.entries(facts)) {
    try {
      const [row] = await session.ask(sql)
      if (row?.[0] != null) known[name] = row[0]
    } catch (error) {
      // Some services keep these functions to themselves; a connection that is lost says nothing about them.
      if (isConnectionLoss(error)) throw error
    }
  }
  return known
}
