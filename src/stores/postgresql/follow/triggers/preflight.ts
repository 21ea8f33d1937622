/** Preflight check of server, role and tables for triggers: reports all obstacles before anything is created. */
import type { FollowedTable, FollowPreflight, FollowRefusal } from '../../../../model/follow/port.ts'
import type { CopySession } from '../../server/session.ts'
import { inspectTables } from '../replication/preflight-tables.ts'

const OLDEST = 140_000

const NOT_REPORTED =
  'triggers record only rows, not DDL, positions of sequences, large objects, or TRUNCATE of a single partition. DDL halts the stream, which names the table to copy again'

export async function checkPostgresTriggers(
  session: CopySession,
  tables: readonly FollowedTable[],
): Promise<FollowPreflight> {
  const { refusals, identities } = await inspectTables(session, tables, 'trigger')
  return { refusals: [...(await inspectServer(session)), ...refusals], notes: [NOT_REPORTED], identities, wal: null }
}

async function inspectServer(session: CopySession): Promise<readonly FollowRefusal[]> {
  const [row] = await session.ask(
    `SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE'),
       pg_catalog.quote_ident(current_user), pg_catalog.quote_ident(pg_catalog.current_database()),
       (SELECT pg_catalog.bool_and(pg_catalog.has_function_privilege(p.oid, 'EXECUTE')) FROM pg_catalog.pg_proc p
        WHERE p.pronamespace = 'pg_catalog'::pg_catalog.regnamespace::oid AND p.proname = 'pg_logical_emit_message')`,
  )
  const [standby, create, role, database, emits] = (row ?? []).map((text) => text ?? '')
  const refusals: FollowRefusal[] = []
  if (session.version < OLDEST)
    refusals.push({
      message: `the server is PostgreSQL ${Math.floor(session.version / 10_000)}; replication needs 14 or newer`,
      hint: 'upgrade the server, or copy without a stream',
    })
  if (standby === 't')
    refusals.push({
      message: 'the server is a standby, so changes cannot be recorded in it',
      hint: 'use the primary server',
    })
  if (create !== 't')
    refusals.push({
      message: `role ${role} may not create a schema for the logs in database ${database}`,
      hint: `GRANT CREATE ON DATABASE ${database} TO ${role}`,
    })
  if (emits !== 't')
    refusals.push({
      message: `role ${role} may not call pg_logical_emit_message, which is needed to write the log of an idle server to disk`,
      hint: `grant EXECUTE on its forms to ${role}: all roles have that right, unless it was revoked`,
    })
  return refusals
}
