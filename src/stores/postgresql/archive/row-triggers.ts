/** Triggers and rules of a table that fire when an archive removes rows and restores them. */
import type { TableName } from '../../../model/copy/column-type.ts'
import type { RowTriggers } from '../../../model/archive/port.ts'
import type { CopySession } from '../server/session.ts'
import { literal } from '../server/sql.ts'
import { tableByName } from '../server/known.ts'
import { isUsersTriggerSql, treeSql } from '../server/relation.ts'

const REMEDY =
  'use a role with GRANT SET ON PARAMETER session_replication_role, for a table without foreign keys; or partition the table, because partitions are detached and attached as a whole'
const NONE: RowTriggers = { changing: [], firing: [], quiet: false, remedy: REMEDY }

/**
 * Triggers for INSERT and DELETE. A BEFORE or INSTEAD OF row trigger may change or skip the row, and so may a rule.
 * `quiet`: no trigger fires with `session_replication_role = replica`. This needs a role that may set it. The table and
 * its partitions must have no foreign keys and no deferrable keys, which the server checks by triggers, and no trigger
 * or rule that fires in replicas. Only row triggers of partitions fire, not their rules.
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
    `SELECT g.kind, g.name, g.early, g.state,
       ((SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = current_user)${may})
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k
         WHERE k.contype = 'f' AND (k.conrelid IN (${tree}) OR k.confrelid IN (${tree})) OR k.contype IN ('p', 'u', 'x') AND k.condeferrable AND k.conrelid IN (${tree}))
     FROM (
       SELECT 'trigger' AS kind, t.tgname AS name, t.tgtype & 1::int2 = 1 AND t.tgtype & 66::int2 <> 0 AS early, t.tgenabled AS state
       FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
       WHERE t.tgrelid IN (${tree}) AND (t.tgrelid = ${oid}::oid OR t.tgtype & 1::int2 = 1) AND ${isUsersTriggerSql('t')} AND t.tgenabled <> 'D' AND t.tgtype & 12::int2 <> 0 AND p.proname !~ '^sluice_'::text
       UNION SELECT 'rule', r.rulename, true, r.ev_enabled FROM pg_catalog.pg_rewrite r
       WHERE r.ev_class = ${oid}::oid AND r.ev_type IN ('3', '4') AND r.ev_enabled <> 'D') AS g
     ORDER BY 1, 2`,
  )
  const named = (early: 't' | 'f'): readonly string[] => [
    ...new Set(
      rows.flatMap(([kind, name, when, state]) => (when === early && state !== 'R' ? [`${kind} ${name}`] : [])),
    ),
  ]
  const quiet = rows.length > 0 && rows.every(([, , , state, allowed]) => state === 'O' && allowed === 't')
  return { changing: named('t'), firing: named('f'), quiet, remedy: REMEDY, unread: true }
}
