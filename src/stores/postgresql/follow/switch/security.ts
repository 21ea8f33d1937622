/** Owner, rights, policies and row security: the new table gets exactly those of the public table. */
import { policySql } from '../../server/policy-sql.ts'
import { quoteName } from '../../server/connect.ts'
import { leavesOf } from './guard.ts'
import { dropped, recreated, type CutoverTable, type CutoverTables, type CutoverStep } from './sides.ts'

type Policy = { readonly name: string; readonly definition: string; readonly comment: string | null }
type Security = {
  readonly owner: string
  readonly enabled: boolean
  readonly forced: boolean
  readonly policies: readonly Policy[]
}
type Grant = {
  readonly column: string | null
  readonly privilege: string
  /** Role as written in SQL. */
  readonly grantee: string
  readonly grantable: boolean
}

export async function securityOf(sides: CutoverTables): Promise<readonly CutoverStep[]> {
  const { from, to, public: name } = sides
  const [old] = await sides.session.objects<Security>(securitySql(from))
  const [fresh] = await sides.session.objects<Security>(securitySql(to))
  if (old === undefined || fresh === undefined) return []
  const steps: CutoverStep[] = []
  if (old.owner !== fresh.owner) {
    const all = [to.sql, ...(await leavesOf(sides.session, to.oid))]
    steps.push({
      verdict: 'made',
      about: 'owner',
      object: old.owner,
      detail: `also of the other table, which belongs to ${fresh.owner}`,
      before: all.map((table) => `ALTER TABLE ${table} OWNER TO ${quoteName(old.owner)}`),
    })
  }
  steps.push(...(await grantSteps(sides, from.oid, to.oid, { name: `TABLE ${name}`, when: 'after' })))
  steps.push(...policySteps(sides, old, fresh))
  if (old.enabled !== fresh.enabled || old.forced !== fresh.forced) {
    steps.push({
      verdict: 'made',
      about: 'row security',
      detail: 'the other table gets the setting of the public table',
      after: [
        `ALTER TABLE ${name} ${old.enabled ? 'ENABLE' : 'DISABLE'} ROW LEVEL SECURITY`,
        `ALTER TABLE ${name} ${old.forced ? 'FORCE' : 'NO FORCE'} ROW LEVEL SECURITY`,
      ],
    })
  }
  return steps
}

/**
 * Steps that grant the same rights on one object as on another.
 * @param from OID of the object that has the rights @param to OID of the object that gets them
 * @param object `name`: kind and name of `to` when the statements run, as `TABLE public.t`; `when`: whether they run
 * before or after the names are exchanged
 */
export async function grantSteps(
  sides: CutoverTables,
  from: string,
  to: string,
  object: { readonly name: string; readonly when: 'before' | 'after' },
): Promise<readonly CutoverStep[]> {
  const text = ({ column, privilege, grantee, grantable }: Grant): string =>
    JSON.stringify([column, privilege, grantee, grantable])
  const old = await sides.session.objects<Grant>(grantsSql(from, from))
  const fresh = await sides.session.objects<Grant>(grantsSql(to, from))
  const [had, has] = [new Set(old.map(text)), new Set(fresh.map(text))]
  const missing = old.filter((one) => !has.has(text(one)))
  const surplus = fresh.filter((one) => !had.has(text(one)))
  if (missing.length + surplus.length === 0) return []
  const what = ({ column, privilege }: Grant): string =>
    `${privilege}${column === null ? '' : ` (${quoteName(column)})`}`
  const said = [
    ...missing.map((one) => `${what(one)} to ${one.grantee}`),
    ...surplus.map((one) => `not ${what(one)} to ${one.grantee}`),
  ]
  return [
    {
      verdict: 'made',
      about: 'grant',
      object: said.join('; '),
      detail: `${object.name} gets the rights of the one with the public name`,
      [object.when]: [
        ...surplus.map((one) => `REVOKE ${what(one)} ON ${object.name} FROM ${one.grantee}`),
        ...missing.map(
          (one) => `GRANT ${what(one)} ON ${object.name} TO ${one.grantee}${one.grantable ? ' WITH GRANT OPTION' : ''}`,
        ),
      ],
    },
  ]
}

function policySteps(sides: CutoverTables, old: Security, fresh: Security): readonly CutoverStep[] {
  const among = ({ policies }: Security, name: string): Policy | undefined => policies.find((one) => one.name === name)
  const steps: CutoverStep[] = []
  for (const one of old.policies) {
    const other = among(fresh, one.name)
    if (other?.definition === one.definition) continue
    const make = `CREATE POLICY ${quoteName(one.name)} ON ${sides.public} ${one.definition}`
    steps.push(recreated(sides, { ...one, kind: 'POLICY' }, [make], other !== undefined))
  }
  for (const { name, definition } of fresh.policies) {
    if (among(old, name) === undefined) steps.push(dropped(sides, { kind: 'POLICY', name }, definition))
  }
  return steps
}

function securitySql({ oid }: CutoverTable): string {
  return `
    SELECT pg_catalog.json_build_object('owner', pg_catalog.pg_get_userbyid(c.relowner), 'enabled', c.relrowsecurity, 'forced', c.relforcerowsecurity,
      'policies', (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('name', p.polname, 'comment', pg_catalog.obj_description(p.oid, 'pg_policy'),
        'definition', ${policySql('p')}) ORDER BY p.polname), '[]')
        FROM pg_catalog.pg_policy p WHERE p.polrelid = c.oid))
    FROM pg_catalog.pg_class c WHERE c.oid = ${oid}::oid`
}

/** Rights on a table and its columns, or on a sequence. @param owner OID of the object whose owner this object gets */
function grantsSql(oid: string, owner: string): string {
  const grantee = `CASE e.grantee WHEN 0::oid THEN 'PUBLIC' WHEN c.relowner THEN (SELECT pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(o.relowner)) FROM pg_catalog.pg_class o WHERE o.oid = ${owner})
    ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(e.grantee)) END`
  return `
    SELECT DISTINCT pg_catalog.json_build_object('column', g.attname, 'privilege', e.privilege_type, 'grantee', ${grantee}, 'grantable', e.is_grantable AND e.grantee <> c.relowner)::text
    FROM pg_catalog.pg_class c, LATERAL (
        SELECT NULL::name AS attname, coalesce(c.relacl, pg_catalog.acldefault(CASE c.relkind WHEN 'S' THEN 's'::pg_catalog."char" ELSE 'r'::pg_catalog."char" END, c.relowner)) AS acl
        UNION ALL SELECT a.attname, a.attacl FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attacl IS NOT NULL) g,
      LATERAL pg_catalog.aclexplode(g.acl) e
    WHERE c.oid = ${oid}::oid ORDER BY 1`
}
