/** User objects that refer to the table by OID: the cutover recreates them from definitions that contain names. */
import { quoteName } from '../../server/connect.ts'
import { literal } from '../../server/sql.ts'
import type { CutoverTables, CutoverStep } from './sides.ts'

type Bound = {
  readonly kind: 'view' | 'materialized view' | 'rule' | 'policy' | 'function' | 'row function'
  /** Name for messages. */
  readonly name: string
  /** Name of the relation or function in SQL. */
  readonly sql: string
  readonly own: string
  readonly definition: string | null
  readonly options: string | null
  readonly owned: boolean
  readonly owner: string
  readonly isTemporary: boolean
  /** True if the object is valid only because of the primary key. */
  readonly byKey: boolean
  /** For a function that returns or takes rows of the table: an object that depends on the function. */
  readonly needed: string | null
  readonly comment: string | null
  readonly grants: readonly string[] | null
}

export async function cutoverBoundFindings(sides: CutoverTables): Promise<readonly CutoverStep[]> {
  const found = await sides.session.objects<Bound>(boundSql(sides))
  const [same] = await sides.session.ask(sameKeySql(sides))
  return [...found.map((one) => stepOf(one, same?.[0] === 't', sides)), ...(await unknownDependents(sides))]
}

function stepOf(one: Bound, sameKey: boolean, { from, to, oldTable }: CutoverTables): CutoverStep {
  const { kind, name, owned, owner, byKey, definition } = one
  const step = { about: kind === 'row function' ? 'function' : kind, object: name }
  const refuse = (detail: string, hint: string): CutoverStep => ({ ...step, verdict: 'refused', detail, hint })
  if (one.isTemporary) {
    const detail = `it is a temporary object of a session: it uses ${oldTable} until that session ends`
    return { ...step, verdict: 'left', detail }
  }
  if (kind === 'materialized view') {
    const detail = 'it is bound to the table by its OID, and its recreation reads the whole table'
    return refuse(detail, `drop it, and create it again after the cutover: ${definition ?? ''}`)
  }
  if (!owned) return refuse(`it belongs to ${owner}, and must be recreated`, `connect as a member of ${owner}`)
  if (byKey && !sameKey) {
    const detail = `it needs the primary key of ${from.sql}, but that of ${to.sql} has other columns`
    return refuse(detail, 'list all selected columns in its GROUP BY')
  }
  if (definition === null) return refuse('it is bound to the rows of the table by their type', `drop it: ${name}`)
  if (one.needed !== null) {
    const detail = `it takes or returns rows of the table and must be recreated for the other table, but ${one.needed} depends on it`
    return refuse(detail, 'drop the dependent objects, and create them again after the cutover')
  }
  const detail = 'it is bound to the table by its OID: recreated with its owner, rights and options'
  return { ...step, verdict: 'made', detail, ...statementsOf(one, definition) }
}

function statementsOf(
  { kind, sql, own, options, owner, comment, grants }: Bound,
  definition: string,
): Pick<CutoverStep, 'before' | 'after'> {
  switch (kind) {
    case 'view':
      return {
        after: [
          `CREATE OR REPLACE VIEW ${sql}${options === null ? '' : ` WITH (${options})`} AS ${unended(definition)}`,
        ],
      }
    case 'rule':
      return { after: [unended(definition).replace(/^CREATE RULE/, 'CREATE OR REPLACE RULE')] }
    case 'policy':
      return { after: [`ALTER POLICY ${quoteName(own)} ON ${sql} ${definition}`] }
    case 'row function':
      return {
        before: [`DROP ROUTINE ${sql}`],
        after: [
          definition,
          `ALTER ROUTINE ${sql} OWNER TO ${quoteName(owner)}`,
          ...(grants === null ? [] : [`REVOKE ALL ON ROUTINE ${sql} FROM PUBLIC`, ...grants]),
          ...(comment === null ? [] : [`COMMENT ON ROUTINE ${sql} IS ${literal(comment)}`]),
        ],
      }
    default:
      return { after: [definition] }
  }
}

/** The server prints views and rules with a semicolon at the end. */
function unended(definition: string): string {
  return definition.replace(/;\s*$/, '')
}

/** Refuses all other objects that depend on the table or on its row type: sluice cannot recreate them. */
async function unknownDependents(sides: CutoverTables): Promise<readonly CutoverStep[]> {
  const { from } = sides
  const rows = await sides.session.ask(`
    WITH t AS (${typesSql(from.oid)})
    SELECT DISTINCT pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid)
    FROM t JOIN pg_catalog.pg_depend d ON (d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid AND d.refobjid = t.oid AND d.objid <> t.oid)
      OR (d.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass::oid AND d.refobjid IN (t.reltype, t.typarray) AND t.reltype <> 0::oid)
    WHERE NOT CASE d.classid::pg_catalog.regclass::text
      WHEN 'pg_class' THEN d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid AND EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = d.objid
        AND (c.relkind IN ('i', 'I', 't', 'S') OR c.relispartition OR EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid)))
      WHEN 'pg_constraint' THEN EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.oid = d.objid AND t.oid IN (k.conrelid, k.confrelid))
      WHEN 'pg_trigger' THEN EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.oid = d.objid AND g.tgrelid = t.oid)
      WHEN 'pg_attrdef' THEN EXISTS (SELECT FROM pg_catalog.pg_attrdef f WHERE f.oid = d.objid AND f.adrelid = t.oid)
      WHEN 'pg_type' THEN d.objid IN (t.reltype, t.typarray)
      ELSE d.classid IN ('pg_catalog.pg_rewrite'::pg_catalog.regclass::oid, 'pg_catalog.pg_policy'::pg_catalog.regclass::oid, 'pg_catalog.pg_proc'::pg_catalog.regclass::oid,
        'pg_catalog.pg_statistic_ext'::pg_catalog.regclass::oid, 'pg_catalog.pg_publication_rel'::pg_catalog.regclass::oid) END
    ORDER BY 1`)
  return rows.map(([what]) => ({
    verdict: 'refused',
    about: 'what depends on it',
    object: what ?? '',
    detail: 'it is bound to the table, or to the type of its rows, by its OID, and sluice cannot recreate it',
    hint: 'drop it, or give it another type, and create it again after the cutover',
  }))
}

function typesSql(oid: string): string {
  return `SELECT c.oid, c.reltype, coalesce(y.typarray, 0) AS typarray FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_type y ON y.oid = c.reltype WHERE c.oid = ${oid}::oid`
}

/** True if the primary keys have the same columns. */
function sameKeySql({ from, to }: CutoverTables): string {
  const key = (
    oid: string,
  ): string => `(SELECT coalesce(pg_catalog.json_agg(a.attname ORDER BY a.attname)::text, '') FROM pg_catalog.pg_index i
    JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) WHERE i.indrelid = ${oid}::oid AND i.indisprimary)`
  return `SELECT ${key(from.oid)} = ${key(to.oid)}`
}

function boundSql({ from }: CutoverTables): string {
  const dependsOn = (
    catalog: string,
  ): string => `SELECT d.objid FROM t JOIN pg_catalog.pg_depend d ON d.classid = '${catalog}'::pg_catalog.regclass::oid
      AND (d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid AND d.refobjid = t.oid
        OR d.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass::oid AND d.refobjid IN (t.reltype, t.typarray) AND t.reltype <> 0::oid)`
  const byKey = (
    catalog: string,
    oid: string,
  ): string => `EXISTS (SELECT FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_constraint k ON k.oid = d.refobjid AND k.conrelid = ${from.oid}::oid
      WHERE d.classid = '${catalog}'::pg_catalog.regclass::oid AND d.objid = ${oid}::oid AND d.refclassid = 'pg_catalog.pg_constraint'::pg_catalog.regclass::oid)`
  const owned = (owner: string): string =>
    `pg_catalog.pg_has_role(${owner}, 'USAGE'), pg_catalog.pg_get_userbyid(${owner})`
  return `
    WITH t AS (${typesSql(from.oid)}),
    found (place, kind, name, sql, own, definition, options, owned, owner, temporary, by_key, needed, comment, grants) AS (
      SELECT 1, CASE WHEN c.relkind = 'm' THEN 'materialized view' WHEN r.rulename = '_RETURN' THEN 'view' ELSE 'rule' END,
        CASE WHEN r.rulename = '_RETURN' THEN '' ELSE r.rulename::text || ' on ' END || c.oid::pg_catalog.regclass::text, pg_catalog.format('%I.%I', n.nspname, c.relname), r.rulename::text,
        CASE WHEN r.rulename = '_RETURN' THEN pg_catalog.pg_get_viewdef(c.oid) ELSE pg_catalog.pg_get_ruledef(r.oid) END,
        (SELECT pg_catalog.string_agg(pg_catalog.format('%I = %L', o.option_name, o.option_value), ', ') FROM pg_catalog.pg_options_to_table(c.reloptions) o),
        ${owned('c.relowner')}, c.relpersistence = 't', ${byKey('pg_catalog.pg_rewrite', 'r.oid')}, NULL, NULL, NULL::text[]
      FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE r.oid IN (${dependsOn('pg_catalog.pg_rewrite')}) AND r.ev_class <> ${from.oid}::oid
      UNION ALL SELECT 2, 'policy', p.polname::text || ' on ' || c.oid::pg_catalog.regclass::text, pg_catalog.format('%I.%I', n.nspname, c.relname), p.polname,
        pg_catalog.concat_ws(' ', 'USING (' || pg_catalog.pg_get_expr(p.polqual, p.polrelid) || ')', 'WITH CHECK (' || pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) || ')'), NULL,
        ${owned('c.relowner')}, false, ${byKey('pg_catalog.pg_policy', 'p.oid')}, NULL, NULL, NULL
      FROM pg_catalog.pg_policy p JOIN pg_catalog.pg_class c ON c.oid = p.polrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE p.oid IN (${dependsOn('pg_catalog.pg_policy')}) AND p.polrelid <> ${from.oid}::oid
      UNION ALL SELECT 3, CASE WHEN f.is_row THEN 'row function' ELSE 'function' END, p.oid::pg_catalog.regprocedure::text,
        pg_catalog.format('%I.%I(%s)', n.nspname, p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid)), p.proname,
        CASE WHEN p.prokind IN ('f', 'p', 'w') THEN pg_catalog.pg_get_functiondef(p.oid) END, NULL, ${owned('p.proowner')}, false, ${byKey('pg_catalog.pg_proc', 'p.oid')},
        CASE WHEN f.is_row THEN (SELECT pg_catalog.min(pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid)) FROM pg_catalog.pg_depend d
          WHERE d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass::oid AND d.refobjid = p.oid) END,
        pg_catalog.obj_description(p.oid, 'pg_proc'),
        CASE WHEN p.proacl IS NOT NULL THEN (SELECT coalesce(pg_catalog.array_agg(pg_catalog.format('GRANT %s ON ROUTINE %I.%I(%s) TO %s%s', e.privilege_type, n.nspname, p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid),
          CASE e.grantee WHEN 0::oid THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(e.grantee)) END, CASE WHEN e.is_grantable AND e.grantee <> 0::oid THEN ' WITH GRANT OPTION' ELSE '' END)), '{}')
          FROM pg_catalog.aclexplode(p.proacl) e WHERE e.grantee <> p.proowner) END
      FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace CROSS JOIN t
        CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM pg_catalog.unnest(p.proargtypes::oid[] || coalesce(p.proallargtypes, '{}') || p.prorettype) y WHERE y IN (t.reltype, t.typarray)) AS is_row) f
      WHERE p.oid IN (${dependsOn('pg_catalog.pg_proc')})
    )
    SELECT pg_catalog.json_build_object('kind', kind, 'name', name, 'sql', sql, 'own', own, 'definition', definition, 'options', options, 'owned', owned, 'owner', owner,
      'isTemporary', temporary, 'byKey', by_key, 'needed', needed, 'comment', comment, 'grants', grants) FROM found ORDER BY place, name`
}
