/** Finds sessions that write into a table, and terminates those that do not release it. */
import type { SideWriters } from '../../../../model/follow/switch-side-port.ts'
import { treeSql } from '../../server/relation.ts'
import type { CopySession } from '../../server/session.ts'
import type { CutoverTable } from './sides.ts'

/** Lock modes of sessions that write into a table or lock it exclusively. */
const WRITES = `('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')`

const MAY_END = `(SELECT m.rolsuper OR (NOT r.rolsuper AND (pg_catalog.pg_has_role(m.oid, r.oid, 'USAGE') OR pg_catalog.pg_has_role(m.oid, 'pg_signal_backend', 'USAGE')))
  FROM pg_catalog.pg_roles m WHERE m.rolname = current_user)`

const WORDS = `coalesce(nullif(a.application_name, ''), 'a session') || ' (process ' || a.pid::text || ', ' || coalesce(a.usename::text, '?') || ', ' || coalesce(a.state, 'unknown') || ')'`

/**
 * SQL: the session `a` has a client. Without the rights of pg_read_all_stats, the server hides the types of other
 * roles' sessions, but not the process numbers of replication.
 */
const IS_CLIENT = `(a.backend_type = 'client backend' OR (a.backend_type IS NULL AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_replication w WHERE w.pid = a.pid)))`

export async function writersOf(session: CopySession, side: CutoverTable): Promise<SideWriters> {
  const holding = await session.ask(`SELECT ${WORDS} FROM ${holders(side)} ORDER BY a.pid`)
  const prepared = await session.ask(
    `SELECT DISTINCT p.gid FROM pg_catalog.pg_locks l
       JOIN pg_catalog.pg_locks x ON x.pid IS NULL AND x.locktype = 'transactionid' AND x.granted AND x.virtualtransaction = l.virtualtransaction
       JOIN pg_catalog.pg_prepared_xacts p ON p.transaction = x.transactionid
     WHERE l.pid IS NULL AND ${holds(side)} ORDER BY 1`,
  )
  const roles = await session.ask(
    `SELECT r.rolname, count(*), ${MAY_END} FROM pg_catalog.pg_stat_activity a JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid
     WHERE a.datname = pg_catalog.current_database() AND ${IS_CLIENT} AND a.pid <> pg_catalog.pg_backend_pid() AND a.application_name !~ '^sluice'
       AND (pg_catalog.has_table_privilege(r.oid, ${side.oid}::oid, 'INSERT, UPDATE, DELETE, TRUNCATE') OR pg_catalog.has_any_column_privilege(r.oid, ${side.oid}::oid, 'INSERT, UPDATE'))
     GROUP BY r.oid, r.rolname, r.rolsuper ORDER BY 1`,
  )
  return {
    holding: holding.map(([words]) => words ?? ''),
    prepared: prepared.map(([gid]) => gid ?? ''),
    connected: roles.reduce((sum, [, count]) => sum + Number(count), 0),
    protected: roles.filter(([, , may]) => may !== 't').map(([name]) => name ?? ''),
  }
}

/** Terminates sessions that lock a table for writing, if this role may do so. @returns descriptions of the sessions */
export async function endWriters(session: CopySession, side: CutoverTable): Promise<readonly string[]> {
  // In one statement, so that a session that has already released the table is not terminated.
  const rows = await session.ask(
    `SELECT h.words, pg_catalog.pg_terminate_backend(h.pid) FROM (SELECT a.pid, ${WORDS} AS words FROM ${holders(side)} AND ${MAY_END} ORDER BY a.pid) h`,
  )
  return rows.filter(([, done]) => done === 't').map(([words]) => words ?? '')
}

function holders(side: CutoverTable): string {
  return `pg_catalog.pg_stat_activity a JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid WHERE ${IS_CLIENT} AND a.pid <> pg_catalog.pg_backend_pid()
    AND EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE l.pid = a.pid AND ${holds(side)})`
}

function holds({ oid }: CutoverTable): string {
  return `l.locktype = 'relation' AND l.granted AND l.mode IN ${WRITES} AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
    AND l.relation IN (${treeSql(`${oid}::oid`)})`
}
