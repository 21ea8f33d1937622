/** One attempt to lock a table, in the lock order of other sessions: a reader of a view locks the view first. */
import type { CopySession } from '../../server/session.ts'
import { quoteName } from '../../server/connect.ts'
import { literal, tableSql } from '../../server/sql.ts'
import type { CutoverTable } from './sides.ts'

/**
 * Wait in ms after which the server checks for a deadlock. The first session to check is cancelled: this must be the
 * session of sluice. The server then also cancels an autovacuum, which could block this session for hours.
 */
const POLL_MS = 20

/**
 * SQL that sets `POLL_MS` for this transaction. Without the right to set it, this session checks for a deadlock no
 * earlier than other sessions.
 */
export function deadlockTimeoutSql(version: number): string {
  const granted =
    version < 150_000 ? '' : " OR pg_catalog.has_parameter_privilege(current_user, 'deadlock_timeout', 'SET')"
  return `SELECT CASE WHEN r.rolsuper${granted} THEN pg_catalog.set_config('deadlock_timeout', '${POLL_MS}', true) END FROM pg_catalog.pg_roles r WHERE r.rolname = current_user`
}

export type Dependent = { readonly sql: string; readonly isView: boolean; readonly owner: string }

/**
 * Locks a table and its partitions against all other sessions.
 * @param lockTimeoutMs longest wait for the lock
 * @param from `writers`: readers are not blocked
 * @throws errors of the server
 */
export async function lockAll(
  session: CopySession,
  { sql, isPartitioned }: CutoverTable,
  lockTimeoutMs: number,
  from: 'everybody' | 'writers' = 'everybody',
): Promise<void> {
  const left = Math.max(1, Math.floor(lockTimeoutMs))
  await session.ask(
    `SET LOCAL lock_timeout TO ${left}; LOCK TABLE ${isPartitioned ? '' : 'ONLY '}${sql} IN ${from === 'everybody' ? 'ACCESS EXCLUSIVE' : 'SHARE ROW EXCLUSIVE'} MODE`,
  )
}

/**
 * Locks an object that the cutover recreates, against all sessions. Locks nothing else: LOCK TABLE of a view would lock
 * every table that the view reads.
 * @throws errors of the server
 */
export async function lockDependent(
  session: CopySession,
  { sql, isView, owner }: Dependent,
  lockTimeoutMs: number,
): Promise<void> {
  const taken = isView
    ? `ALTER VIEW ${sql} OWNER TO ${quoteName(owner)}`
    : `LOCK TABLE ONLY ${sql} IN ACCESS EXCLUSIVE MODE`
  await session.ask(`SET LOCAL lock_timeout TO ${Math.max(1, Math.floor(lockTimeoutMs))}; ${taken}`)
}

/**
 * Views that read a table, and tables whose rules, policies or foreign keys refer to it, if this role may change them.
 * If it may not change one of them, the cutover is refused.
 */
export async function dependentsWithRules(session: CopySession, { oid }: CutoverTable): Promise<readonly Dependent[]> {
  const rows = await session.ask(
    `SELECT n.nspname, c.relname, c.relkind = 'v', pg_catalog.pg_get_userbyid(c.relowner) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p', 'v') AND c.oid <> ${oid}::oid AND pg_catalog.pg_has_role(c.relowner, 'USAGE') AND c.oid IN (
       SELECT r.ev_class FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid
         WHERE d.classid = ${literal('pg_catalog.pg_rewrite')}::pg_catalog.regclass::oid AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid AND d.refobjid = ${oid}::oid
       UNION SELECT p.polrelid FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_policy p ON p.oid = d.objid
         WHERE d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass::oid AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid AND d.refobjid = ${oid}::oid
       UNION SELECT k.conrelid FROM pg_catalog.pg_constraint k WHERE k.contype = 'f' AND k.confrelid = ${oid}::oid)
     ORDER BY c.oid`,
  )
  return rows.map(([schema, name, view, owner]) => ({
    sql: tableSql({ schema: schema ?? '', name: name ?? '' }),
    isView: view === 't',
    owner: owner ?? '',
  }))
}
