/** Triggers and rules of a table that fire when an archive removes rows and restores them. */
import type { TableName } from '../../../model/copy/column-type.ts'
import type { RowTriggers } from '../../../model/archive/port.ts'
import { quoteName } from '../server/connect.ts'
import type { CopySession } from '../server/session.ts'
import { literal } from '../server/sql.ts'
import { tableByName } from '../server/known.ts'
import { treeSql } from '../server/relation.ts'

const REMEDY =
  'use a role with GRANT SET ON PARAMETER session_replication_role, for a table without foreign keys; or partition the table, because partitions are detached and attached as a whole'
const NONE: RowTriggers = { changing: [], firing: [], quiet: false, remedy: REMEDY }

/** Constraint triggers that can be deferred, and that are ENABLE ALWAYS. */
function lateTriggers(triggers: readonly (readonly [name: string, of: string])[]): NonNullable<RowTriggers['late']> {
  const disable = triggers.map(([name, of]) => `ALTER TABLE ${of} DISABLE TRIGGER ${quoteName(name)}`)
  return {
    names: [...new Set(triggers.map(([name]) => `trigger ${name}`))],
    reason:
      'it can wait for the end of the transaction, after the rows were compared, and fires in every session (ENABLE ALWAYS)',
    remedy: `${disable.join('; ')}; run the same command again; then ENABLE ALWAYS again`,
  }
}

/**
 * Triggers for INSERT and DELETE. A BEFORE or INSTEAD OF row trigger may change or skip the row, and so may a rule; and a late one
 * changes rows when no proof sees them any more.
 * `quiet` if the role may set `session_replication_role`, no foreign key of or to the table or one of its partitions
 * would then go unchecked, and none of the triggers fires in replicas. Of partitions only row triggers fire, and no rule.
 */
export async function postgresRowTriggers(session: CopySession, table: TableName): Promise<RowTriggers> {
  const found = await tableByName(session, table)
  if (found === null) return NONE
  const oid = `${literal(found.oid)}::oid`
  const tree = treeSql(oid)
  const may =
    session.version >= 150_000
      ? ` OR pg_catalog.has_parameter_privilege(current_user, 'session_replication_role', 'SET')`
      : ''
  const rows = await session.ask(
    `SELECT g.kind, g.name, g.early OR g.late, g.always,
       ((SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = current_user)${may})
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.contype = 'f' AND (k.conrelid IN (${tree}) OR k.confrelid IN (${tree}))), g.late, g.of
     FROM (
       SELECT 'trigger' AS kind, t.tgname AS name, t.tgtype & 1::int2 = 1 AND t.tgtype & 66::int2 <> 0 AS early, t.tgenabled <> 'O' AS always,
         t.tgdeferrable AND t.tgenabled = 'A' AS late, (SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = t.tgrelid) AS of
       FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
       WHERE t.tgrelid IN (${tree}) AND (t.tgrelid = ${oid}::oid OR t.tgtype & 1::int2 = 1) AND NOT t.tgisinternal AND t.tgenabled NOT IN ('D', 'R') AND t.tgtype & 12::int2 <> 0 AND p.proname !~ '^sluice_'::text
       UNION SELECT 'rule', r.rulename, true, r.ev_enabled <> 'O', false, '' FROM pg_catalog.pg_rewrite r
       WHERE r.ev_class = ${oid}::oid AND r.ev_type IN ('3', '4') AND r.ev_enabled NOT IN ('D', 'R')) AS g
     ORDER BY 1, 2`,
  )
  const named = (early: 't' | 'f'): readonly string[] => [
    ...new Set(rows.filter((row) => row[2] === early).map(([kind, name]) => `${kind} ${name}`)),
  ]
  const quiet = rows.length > 0 && rows.every(([, , , always, allowed]) => always === 'f' && allowed === 't')
  const late = rows.filter((row) => row[5] === 't')
  return {
    changing: named('t'),
    firing: named('f'),
    quiet,
    remedy: REMEDY,
    unread: true,
    ...(late.length === 0 ? {} : { late: lateTriggers(late.map(([, name, , , , , of]) => [name ?? '', of ?? ''])) }),
  }
}
