/** Rights on the table, and default rights of new tables. */
import type { PlanFinding } from '../../../../model/partition/plan-port.ts'
import { quoteName } from '../../server/connect.ts'
import { literal } from '../../server/sql.ts'
import { mayBeReplica, replicaHint } from '../../copy/replica-role.ts'
import type { CopySession } from '../../server/session.ts'
import type { About } from './about.ts'

type Rights = {
  readonly owner: string
  readonly me: string
  readonly member: boolean
  readonly grants: readonly string[] | null
  readonly defaults: readonly string[] | null
  readonly labels: readonly string[] | null
  readonly create: boolean
}

/** Finding if this login may not keep triggers and foreign keys of a new table from firing for changes. */
export async function replicaFindings(session: CopySession): Promise<readonly PlanFinding[]> {
  if (await mayBeReplica(session)) return []
  const me = (await session.one('SELECT current_user')) ?? ''
  return [
    {
      verdict: 'changes',
      about: 'role',
      object: me,
      detail:
        'it may not set session_replication_role on the server of the new table: the stream refuses that table once it has foreign keys or triggers, and a cutover within one database is refused; after a cutover to another database, the stream back needs the right on the old server, too',
      hint: replicaHint(me),
    },
  ]
}

export async function planRightFindings(about: About): Promise<readonly PlanFinding[]> {
  const [rights] = await about.session.objects<Rights>(rightsSql(about))
  if (rights === undefined) return []
  const { owner, me, member, grants, defaults, labels, create } = rights
  const found: PlanFinding[] = []
  if (!member) {
    const detail = `${me} is not a member of ${owner}: it can neither give the new table to that role nor rename the old one`
    found.push({
      verdict: 'refused',
      about: 'owner',
      object: owner,
      detail,
      hint: `GRANT ${quoteName(owner)} TO ${quoteName(me)}, or connect as ${owner}`,
    })
  } else {
    found.push({ verdict: 'made', about: 'owner', object: owner, detail: 'of the new table and of every partition' })
  }
  if (!create) {
    const detail = `${me} may not create tables in ${about.schema}`
    const hint = `GRANT CREATE ON SCHEMA ${quoteName(about.schema)} TO ${quoteName(me)}`
    found.push({ verdict: 'refused', about: 'schema', object: about.schema, detail, hint })
  }
  if (grants !== null) {
    const detail = 'on the new table, not on its partitions, so that rows can be reached only through the table'
    found.push({ verdict: 'made', about: 'grant', object: grants.join('; '), detail })
  }
  if (defaults !== null) {
    const detail =
      'default privileges grant this on every new table; on partitions it would bypass the row security of the table, so it is revoked'
    found.push({ verdict: 'made', about: 'default privileges', object: defaults.join('; '), detail })
  }
  if (labels !== null) {
    const detail = 'partitions do not inherit it: label each of them'
    found.push({
      verdict: 'changes',
      about: 'security label',
      object: labels.join('; '),
      detail,
      hint: 'SECURITY LABEL … ON TABLE for the new table and each partition',
    })
  }
  return found
}

function rightsSql({ oid, schema }: About): string {
  const role = (id: string): string => `CASE ${id} WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.pg_get_userbyid(${id}) END`
  return `
    SELECT pg_catalog.json_build_object('owner', pg_catalog.pg_get_userbyid(c.relowner), 'me', current_user,
      'member', pg_catalog.pg_has_role(current_user, c.relowner, 'MEMBER'),
      'create', pg_catalog.has_schema_privilege(${literal(schema)}, 'CREATE'),
      'grants', (SELECT pg_catalog.json_agg(words ORDER BY words) FROM (
        SELECT pg_catalog.string_agg(DISTINCT pg_catalog.lower(e.privilege_type) || coalesce(' (' || a.attname::text || ')', ''), ', ') || ' to ' || ${role('e.grantee')} AS words
        FROM (SELECT NULL::name AS attname, c.relacl AS acl UNION ALL SELECT b.attname, b.attacl FROM pg_catalog.pg_attribute b WHERE b.attrelid = c.oid AND NOT b.attisdropped) a,
          pg_catalog.aclexplode(a.acl) e WHERE e.grantee <> c.relowner GROUP BY e.grantee) AS granted),
      'defaults', (SELECT pg_catalog.json_agg(DISTINCT pg_catalog.lower(e.privilege_type) || ' to ' || ${role('e.grantee')})
        FROM pg_catalog.pg_default_acl d, pg_catalog.aclexplode(d.defaclacl) e
        WHERE d.defaclobjtype = 'r' AND d.defaclnamespace IN (0::oid, c.relnamespace) AND d.defaclrole IN (c.relowner, (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = current_user))
          AND e.grantee <> d.defaclrole),
      'labels', (SELECT pg_catalog.json_agg(l.provider || ': ' || l.label) FROM pg_catalog.pg_seclabel l WHERE l.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid AND l.objoid = c.oid))
    FROM pg_catalog.pg_class c WHERE c.oid = ${oid}::oid`
}
