/** One try to have a table to oneself, in the order in which others take their locks: who reads a view holds it before he asks for the table. */
import type { CopySession } from '../../server/session.ts'
import { quoteName } from '../../server/connect.ts'
import { literal, tableSql } from '../../server/sql.ts'
import type { CutoverTable } from './sides.ts'

/**
 * The server looks after so long whether we wait in a circle, ms. Who looks first is ended: that is to be us, and nobody who waits for the table. It is also when the
 * server ends an autovacuum that is in the way, which would keep us waiting for hours.
 */
const LOOK_MS = 20

/** Statement for the begin of the transaction. Roles that may not set it wait as everybody does. */
export function lookFirstSql(version: number): string {
  const granted =
    version < 150_000 ? '' : " OR pg_catalog.has_parameter_privilege(current_user, 'deadlock_timeout', 'SET')"
  return `SELECT CASE WHEN r.rolsuper${granted} THEN pg_catalog.set_config('deadlock_timeout', '${LOOK_MS}', true) END FROM pg_catalog.pg_roles r WHERE r.rolname = current_user`
}

export type Dependent = { readonly sql: string; readonly isView: boolean; readonly owner: string }

/**
 * Takes a table and its partitions from everybody.
 * @param patienceMs longest wait for the lock
 * @param from readers go on where it is taken from writers only
 * @throws what the server says
 */
export async function lockAll(
  session: CopySession,
  { sql, isPartitioned }: CutoverTable,
  patienceMs: number,
  from: 'everybody' | 'writers' = 'everybody',
): Promise<void> {
  const left = Math.max(1, Math.floor(patienceMs))
  await session.ask(
    `SET LOCAL lock_timeout TO ${left}; LOCK TABLE ${isPartitioned ? '' : 'ONLY '}${sql} IN ${from === 'everybody' ? 'ACCESS EXCLUSIVE' : 'SHARE ROW EXCLUSIVE'} MODE`,
  )
}

/**
 * Takes what is made again within the switch from everybody, and by itself: LOCK TABLE of a view would lock every table that it reads.
 * @throws what the server says
 */
export async function lockDependent(
  session: CopySession,
  { sql, isView, owner }: Dependent,
  patienceMs: number,
): Promise<void> {
  const taken = isView
    ? `ALTER VIEW ${sql} OWNER TO ${quoteName(owner)}`
    : `LOCK TABLE ONLY ${sql} IN ACCESS EXCLUSIVE MODE`
  await session.ask(`SET LOCAL lock_timeout TO ${Math.max(1, Math.floor(patienceMs))}; ${taken}`)
}

/** Views, and tables with rules, policies or foreign keys, that read a table. Without those that this role may not change: they are refused. */
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
