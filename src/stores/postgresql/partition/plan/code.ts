/** Objects bound to the table by its OID: triggers, rules, views, functions, policies. */
import type { PlanFinding } from '../../../../model/partition/plan-port.ts'
import { quoteName } from '../../server/connect.ts'
import { literal } from '../../server/sql.ts'
import { onOneLine } from './list-text.ts'
import { type About, BOUND } from './about.ts'

type Trigger = {
  readonly name: string
  readonly row: boolean
  readonly before: boolean
  readonly tables: boolean
  readonly definition: string
  readonly state: string
  readonly comment: string | null
}
type Bound = { readonly kind: string; readonly name: string; readonly detail: string | null }

const STATES: Readonly<Record<string, string>> = {
  D: ' (it is disabled)',
  R: ' (it fires for replicas)',
  A: ' (it fires always)',
}

/** Keywords of ALTER TABLE that set the state of a trigger or rule, because it is created enabled. */
const FIRES: Readonly<Record<string, string>> = { D: 'DISABLE', R: 'ENABLE REPLICA', A: 'ENABLE ALWAYS' }

export async function planCodeFindings(about: About): Promise<readonly PlanFinding[]> {
  const triggers = await about.session.objects<Trigger>(triggersSql(about))
  const bound = await about.session.objects<Bound>(boundSql(about))
  return [...triggers.map((one) => trigger(one, about)), ...bound.map((one) => ofKind(one, about))]
}

function trigger(
  { name, row, before, tables, definition, state, comment }: Trigger,
  { column, sql }: About,
): PlanFinding {
  const one = { about: 'trigger', object: name }
  if (row && tables) {
    return {
      ...one,
      verdict: 'refused',
      detail: 'the server refuses row triggers with REFERENCING … TABLE on a partitioned table',
      hint: `DROP TRIGGER ${quoteName(name)} ON ${sql}, and make it FOR EACH STATEMENT`,
    }
  }
  const enabling = FIRES[state]
  const fires = enabling === undefined ? '' : `; ALTER TABLE ${sql} ${enabling} TRIGGER ${quoteName(name)}`
  const said = comment === null ? '' : `; COMMENT ON TRIGGER ${quoteName(name)} ON ${sql} IS ${literal(comment)}`
  const again = `after the cutover: ${definition}${fires}${said}`
  const note = STATES[state] ?? ''
  if (!row) {
    const detail = `it fires once for a statement on the table, but not for a statement on a partition${note}`
    return { ...one, verdict: 'changes', detail, hint: again }
  }
  if (before) {
    const detail = `it fires in every partition, and must not set ${column} to a value of another period: the server refuses such a row${note}`
    return { ...one, verdict: 'changes', detail, hint: again }
  }
  const detail = `it fires in every partition; copied rows must not fire it a second time, so it is created after the cutover${note}`
  return { ...one, verdict: 'changes', detail, hint: again }
}

function ofKind({ kind, name, detail }: Bound, { sql }: About): PlanFinding {
  const one = { about: kind, object: name }
  const again = detail === null ? undefined : onOneLine(detail)
  switch (kind) {
    case 'policy':
      return {
        ...one,
        verdict: 'made',
        detail: 'on the new table, not on its partitions: direct access to partitions is limited only by grants',
      }
    case 'row security':
      return { ...one, verdict: 'made', detail: 'on the new table, not on its partitions' }
    case 'event trigger':
      return {
        ...one,
        verdict: 'changes',
        detail: `it fires for every statement that creates a table, so once for each partition (${detail})`,
      }
    case 'domain of its row type':
      return {
        ...one,
        verdict: 'refused',
        detail: `${BOUND}, and the server does not drop the old table`,
        hint: `DROP DOMAIN ${name}, or give it another type`,
      }
    case 'trigger function column':
    case 'column of its row type':
      return {
        ...one,
        verdict: 'refused',
        detail: `a column of the table's row type ${BOUND.replace('it is bound to the table', 'is bound to it')}`,
        hint: `give ${name} another type, or json`,
      }
    default:
      return {
        ...one,
        verdict: 'changes',
        detail: `${BOUND}; it must be created again after the cutover`,
        ...(again === undefined ? { hint: `create it again after the cutover of ${sql}` } : { hint: again }),
      }
  }
}

function triggersSql({ oid }: About): string {
  return `
    SELECT pg_catalog.json_build_object('name', g.tgname, 'row', g.tgtype & 1::int2 = 1, 'before', g.tgtype & 2::int2 = 2,
      'tables', g.tgoldtable IS NOT NULL OR g.tgnewtable IS NOT NULL, 'definition', pg_catalog.pg_get_triggerdef(g.oid), 'state', g.tgenabled,
      'comment', pg_catalog.obj_description(g.oid, 'pg_trigger'))
    FROM pg_catalog.pg_trigger g WHERE g.tgrelid = ${oid}::oid AND NOT g.tgisinternal ORDER BY g.tgname`
}

/**
 * SQL of the objects bound to the table. A function is bound if its body was parsed when it was created, or if it uses
 * the row type of the table. Other function bodies only contain the name of the table.
 */
function boundSql({ oid }: About): string {
  return `
    WITH t AS (SELECT c.*, y.typarray FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_type y ON y.oid = c.reltype WHERE c.oid = ${oid}::oid),
    found (place, kind, name, detail) AS (
      SELECT 1, 'rule', r.rulename::text, 'after the cutover: ' || pg_catalog.pg_get_ruledef(r.oid)
        || CASE r.ev_enabled WHEN 'O' THEN '' ELSE pg_catalog.format(' ALTER TABLE %s %s RULE %I;', t.oid::pg_catalog.regclass, CASE r.ev_enabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END, r.rulename) END
      FROM t JOIN pg_catalog.pg_rewrite r ON r.ev_class = t.oid WHERE r.rulename <> '_RETURN'
      UNION SELECT 2, CASE v.relkind WHEN 'm' THEN 'materialized view' WHEN 'v' THEN 'view' ELSE 'rule' END,
        CASE WHEN v.relkind IN ('v', 'm') THEN v.oid::pg_catalog.regclass::text ELSE r.rulename::text || ' on ' || v.oid::pg_catalog.regclass::text END, NULL
      FROM t JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass::oid AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid AND d.refobjid = t.oid
        JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid AND r.ev_class <> t.oid JOIN pg_catalog.pg_class v ON v.oid = r.ev_class
      UNION SELECT 3, 'function', p.oid::pg_catalog.regprocedure::text, NULL FROM t JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass::oid
          AND (d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid AND d.refobjid = t.oid
            OR d.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass::oid AND d.refobjid IN (t.reltype, t.typarray))
        JOIN pg_catalog.pg_proc p ON p.oid = d.objid
      UNION SELECT 4, 'policy', p.polname::text || ' on ' || p.polrelid::pg_catalog.regclass::text, NULL FROM t JOIN pg_catalog.pg_policy p ON p.polrelid = t.oid
      UNION SELECT 4, 'policy of another table', p.polname::text || ' on ' || p.polrelid::pg_catalog.regclass::text, NULL FROM t
        JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass::oid AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid AND d.refobjid = t.oid
        JOIN pg_catalog.pg_policy p ON p.oid = d.objid AND p.polrelid <> t.oid
      UNION SELECT 5, 'row security', CASE WHEN t.relforcerowsecurity THEN 'ENABLE, FORCE' ELSE 'ENABLE' END, NULL FROM t WHERE t.relrowsecurity OR t.relforcerowsecurity
      UNION SELECT 6, 'event trigger', e.evtname::text, e.evtevent::text || ', ' || e.evtfoid::pg_catalog.regproc::text FROM pg_catalog.pg_event_trigger e
        WHERE e.evtenabled <> 'D' AND (e.evttags IS NULL OR e.evttags OPERATOR(pg_catalog.&&) ARRAY['CREATE TABLE', 'ALTER TABLE', 'CREATE INDEX'])
          AND e.evtevent IN ('ddl_command_start', 'ddl_command_end', 'table_rewrite')
      UNION SELECT 7, 'column of its row type', a.attrelid::pg_catalog.regclass::text || '.' || pg_catalog.quote_ident(a.attname), NULL
        FROM t JOIN pg_catalog.pg_attribute a ON a.atttypid IN (t.reltype, t.typarray) AND NOT a.attisdropped AND a.attnum > 0 AND t.reltype <> 0::oid
          JOIN pg_catalog.pg_class u ON u.oid = a.attrelid AND u.relkind IN ('r', 'p', 'c', 'f')
      UNION SELECT 8, 'domain of its row type', y.oid::pg_catalog.regtype::text, NULL FROM t JOIN pg_catalog.pg_type y ON y.typtype = 'd' AND y.typbasetype IN (t.reltype, t.typarray) AND t.reltype <> 0::oid
    )
    SELECT pg_catalog.json_build_object('kind', kind, 'name', name, 'detail', detail) FROM found ORDER BY place, name`
}
