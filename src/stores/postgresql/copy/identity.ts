/** What tells a database from all others, by whatever name it is reached. */
import type { PostgresSettings } from '../settings.ts'
import type { CopySession } from './session.ts'

/** The server's own number and the database's in it; where the server keeps its number to itself, its address. */
export async function databaseIdentity(session: CopySession, settings: PostgresSettings): Promise<string> {
  const [row] = await session.ask(
    'SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()',
  )
  const database = row?.[0] ?? settings.database
  return `postgresql/${await serverIdentity(session, settings)}/${database}`
}

async function serverIdentity(session: CopySession, { host, port }: PostgresSettings): Promise<string> {
  try {
    const [row] = await session.ask('SELECT system_identifier FROM pg_catalog.pg_control_system()')
    if (row?.[0] != null) return row[0]
  } catch {
    // Some services keep this function to themselves.
  }
  return `${host}:${port}`
}
