/** Objects that prevent the DROP of a table, objects that would silently lose the table, and functions that name it. */
import type { DecommissionFinding } from '../../../../model/partition/decommission-port.ts'
import { treeSql } from '../../server/relation.ts'
import type { CopySession } from '../../server/session.ts'
import { literal } from '../../server/sql.ts'
import { isGuardFunctionSql } from '../../follow/switch/guard.ts'

/** SQL of the objects that the server drops with the table, except sequences of its columns: these are moved before. */
const droppedObjectsSql = (oid: string): string => `WITH RECURSIVE going (classid, objid) AS (
    SELECT 'pg_catalog.pg_class'::pg_catalog.regclass::oid, ${literal(oid)}::oid
    UNION
    SELECT d.classid, d.objid FROM pg_catalog.pg_depend d JOIN going g ON d.refclassid = g.classid AND d.refobjid = g.objid
    WHERE d.deptype IN ('a', 'i', 'P', 'S')
      AND NOT (d.deptype = 'a' AND EXISTS (SELECT FROM pg_catalog.pg_class s WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid AND s.oid = d.objid AND s.relkind = 'S'))
  )`

/** SQL of the name of a dependent object: for the rule of a view, the name of the view. */
const NAMED = `CASE WHEN d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass::oid
      THEN coalesce((SELECT pg_catalog.pg_describe_object('pg_catalog.pg_class'::pg_catalog.regclass::oid, r.ev_class, 0) FROM pg_catalog.pg_rewrite r
                     WHERE r.oid = d.objid AND r.rulename = '_RETURN'), pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid))
      ELSE pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid) END`

/**
 * Objects that prevent DROP TABLE, as the server names them: qualified if the search path is empty.
 * @param which `without inherited keys`: omits foreign keys that refer to the partitioned table, because a detach
 * removes them from the partition
 */
export async function dropDependents(
  session: CopySession,
  oid: string,
  which: 'all' | 'without inherited keys' = 'all',
): Promise<readonly string[]> {
  const withoutInherited =
    which === 'all'
      ? ''
      : `AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass::oid
         AND k.oid = d.objid AND k.conparentid <> 0::oid)`
  return await session.texts(
    `${droppedObjectsSql(oid)} SELECT DISTINCT ${NAMED} FROM pg_catalog.pg_depend d JOIN going g ON d.refclassid = g.classid AND d.refobjid = g.objid
     WHERE d.deptype = 'n' AND NOT EXISTS (SELECT FROM going o WHERE o.classid = d.classid AND o.objid = d.objid) ${withoutInherited} ORDER BY 1`,
  )
}

/**
 * Objects that contain the table and would lose it without an error: publications and subscriptions of the table or of
 * a partition, an extension, a parent table. Each is listed once, however many partitions it has.
 */
export async function silentLosses(session: CopySession, oid: string): Promise<readonly DecommissionFinding[]> {
  const number = `${literal(oid)}::oid`
  const rows = await session.ask(
    `SELECT 'publication', p.pubname FROM pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid WHERE r.prrelid IN (${treeSql(number)})
     UNION SELECT 'subscription', u.subname FROM pg_catalog.pg_subscription_rel s JOIN pg_catalog.pg_subscription u ON u.oid = s.srsubid WHERE s.srrelid IN (${treeSql(number)})
     UNION SELECT 'extension', pg_catalog.pg_describe_object(d.refclassid, d.refobjid, 0) FROM pg_catalog.pg_depend d
       WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid AND d.objid = ${number} AND d.deptype = 'e'
     UNION SELECT CASE WHEN c.relispartition THEN 'partitioned table' ELSE 'parent table' END, pg_catalog.pg_describe_object('pg_catalog.pg_class'::pg_catalog.regclass::oid, i.inhparent, 0)
       FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid WHERE i.inhrelid = ${number}
     ORDER BY 1, 2`,
  )
  return rows.map(([about, object]) => ({
    verdict: 'refused',
    about: about ?? '',
    object: object ?? '',
    detail: LOSSES[about ?? ''] ?? 'the table is a part of it',
    ...(about === 'publication'
      ? { hint: 'ALTER PUBLICATION … DROP TABLE, or sluice slots if a stream of sluice left it' }
      : {}),
  }))
}

const LOSSES: Readonly<Record<string, string>> = {
  publication: 'it would lose the table without an error, and its subscribers would get no more changes',
  subscription: 'it writes into the table',
}

/**
 * Functions whose text contains the table's name, except for guards of old tables: the server tracks no dependency for
 * those.
 */
export async function functionsNaming(session: CopySession, oid: string, name: string): Promise<readonly string[]> {
  // The name itself, and its spelling within a quoted name.
  const texts = new Set([name, name.replaceAll('"', '""')])
  return await session.texts(
    `SELECT pg_catalog.pg_describe_object('pg_catalog.pg_proc'::pg_catalog.regclass::oid, p.oid, 0) FROM pg_catalog.pg_proc p
     WHERE p.pronamespace <> 'pg_catalog'::pg_catalog.regnamespace::oid AND (${[...texts].map((text) => `pg_catalog.strpos(p.prosrc, ${literal(text)}) > 0`).join(' OR ')})
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgfoid = p.oid AND t.tgrelid = ${literal(oid)}::oid)
       AND NOT ${isGuardFunctionSql('p.proname')}
     ORDER BY 1`,
  )
}
