/** Refuses tables that cannot be exchanged because of their kind, or because this role lacks rights. */
import { tableText } from '../../../../model/copy/column-type.ts'
import { replicaHint } from '../../copy/replica-role.ts'
import { quoteName } from '../../server/connect.ts'
import { treeSql } from '../../server/relation.ts'
import { literal, MOST_NAME_BYTES } from '../../server/sql.ts'
import { isDenied } from '../../server/server-errors.ts'
import { isKeptFromWriters, tokenOf } from './barrier.ts'
import type { CutoverTable, CutoverTables, CutoverStep } from './sides.ts'

type Shape = {
  readonly isPartition: boolean
  readonly parents: readonly string[]
  readonly heirs: readonly string[]
  readonly isTemporary: boolean
  readonly owner: string
  readonly owned: boolean
  readonly forced: boolean
}

type Role = {
  readonly me: string
  readonly create: boolean
  readonly replica: boolean
  readonly seesAll: boolean
  readonly taken: string | null
  readonly eventTriggers: readonly string[]
}

export async function cutoverShapeFindings(sides: CutoverTables): Promise<readonly CutoverStep[]> {
  const { from, to, oldTableName } = sides
  const steps: CutoverStep[] = []
  const refuse = (about: string, object: string, detail: string, hint: string): void =>
    void steps.push({ verdict: 'refused', about, object, detail, hint })
  const [role] = await sides.session.objects<Role>(roleSql(sides))
  if (role === undefined) return []
  if (from.oid === to.oid) refuse('table', tableText(from), 'it is the same table', 'name another one')
  if (from.schema !== to.schema) {
    const hint = `ALTER TABLE ${to.sql} SET SCHEMA ${quoteName(from.schema)}, with its partitions`
    refuse('schema', to.schema, `${from.sql} is in another schema`, hint)
  }
  const name = tableText({ schema: from.schema, name: oldTableName })
  if (role.taken !== null) refuse('name', name, `it belongs to another object: ${role.taken}`, 'choose another name')
  if (oldTableName === from.name || oldTableName === '' || Buffer.byteLength(oldTableName) > MOST_NAME_BYTES) {
    refuse(
      'name',
      name,
      'the old table cannot have this name',
      `choose another name, of ${MOST_NAME_BYTES} bytes at most`,
    )
  }
  if (!role.create) {
    const hint = `GRANT CREATE ON SCHEMA ${quoteName(from.schema)} TO ${quoteName(role.me)}`
    refuse('schema', from.schema, `${role.me} may not rename tables in it`, hint)
  }
  if (!role.replica) {
    const detail = `${role.me} may not apply changes as a replica: triggers and foreign keys of the old table would repeat the work of those of the public table`
    refuse('role', role.me, detail, replicaHint(role.me))
  }
  for (const event of role.eventTriggers) {
    const detail = 'it fires for the statements of the cutover, and can refuse them'
    steps.push({ verdict: 'left', about: 'event trigger', object: event, detail })
  }
  for (const side of [from, to]) {
    const [shape] = await sides.session.objects<Shape>(shapeSql(side))
    if (shape !== undefined) ofSide(side, shape, role, refuse)
  }
  for (const { sql } of await closedSides(sides)) {
    const detail = 'only a stream may write into it: another cutover has closed it, or it is the old table of one'
    const hint = 'complete or revert that cutover first'
    refuse('table', sql, detail, hint)
  }
  steps.push(...(await subscriptions(sides)))
  return steps
}

/** Tables that the exchange would open to writers, although another cutover or a stream has closed them to writers. */
async function closedSides({ session, from, to }: CutoverTables): Promise<readonly CutoverTable[]> {
  const closed: CutoverTable[] = []
  if (await isKeptFromWriters(session, from)) closed.push(from)
  // This cutover itself guards the other table, but without a token.
  if ((await tokenOf(session, to)) !== null) closed.push(to)
  return closed
}

function ofSide(
  { sql, isPartitioned }: CutoverTable,
  shape: Shape,
  { me, seesAll }: Role,
  refuse: (about: string, object: string, detail: string, hint: string) => void,
): void {
  if (!shape.owned) {
    const hint = `GRANT ${quoteName(shape.owner)} TO ${quoteName(me)}, or connect as ${shape.owner}`
    refuse('owner', sql, `it belongs to ${shape.owner}, and ${me} is not a member of that role`, hint)
  }
  if (shape.isPartition) {
    refuse('partition', sql, `it is a partition of ${shape.parents.join(', ')}`, 'cut over its parent table')
  } else if (shape.parents.length > 0) {
    refuse('inheritance', sql, `it inherits from ${shape.parents.join(', ')}`, `ALTER TABLE ${sql} NO INHERIT …`)
  }
  if (!isPartitioned && shape.heirs.length > 0) {
    const detail = `${shape.heirs.join(', ')} inherit from it: their rows are read with it now, but would not be read with the other table`
    refuse('inheritance', sql, detail, 'move their rows into the table, then remove the inheritance')
  }
  if (shape.isTemporary) refuse('table', sql, 'it is a temporary table', 'name a permanent table')
  if (shape.forced && !seesAll) {
    const detail = `its row security is forced on its owner, so that ${me} cannot compare its rows`
    refuse('row security', sql, detail, 'connect as a role with BYPASSRLS')
  }
}

/**
 * A subscription refers to its table by OID, so it would continue with the table under a new name. It may write to a
 * single partition, so partitions are searched too. Some roles have no right to read subscriptions.
 */
async function subscriptions({ session, from, to }: CutoverTables): Promise<readonly CutoverStep[]> {
  const found = await session.attempt(
    () =>
      session.ask(
        `SELECT s.subname, r.srrelid::pg_catalog.regclass FROM pg_catalog.pg_subscription_rel r JOIN pg_catalog.pg_subscription s ON s.oid = r.srsubid
         WHERE r.srrelid IN (${treeSql(`${from.oid}::oid`)} UNION ALL ${treeSql(`${to.oid}::oid`)}) ORDER BY 1, 2`,
      ),
    isDenied,
  )
  if ('refused' in found) {
    const hint = 'ask a superuser: SELECT * FROM pg_subscription_rel'
    return [{ verdict: 'left', about: 'subscription', detail: 'this role may not see them', hint }]
  }
  return found.result.map(([name, table]) => ({
    verdict: 'refused',
    about: 'subscription',
    object: name ?? '',
    detail: `it writes to ${table}, and would continue with that table under its new name`,
    hint: `ALTER SUBSCRIPTION ${quoteName(name ?? '')} DISABLE and drop it before, or partition the table where these rows come from`,
  }))
}

function roleSql({ session, from, to, oldTableName }: CutoverTables): string {
  const place = `(SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = ${literal(from.schema)})`
  const parameter =
    session.version < 150_000
      ? ''
      : " OR pg_catalog.has_parameter_privilege(current_user, 'session_replication_role', 'SET')"
  return `
    SELECT pg_catalog.json_build_object('me', current_user, 'create', pg_catalog.has_schema_privilege(${literal(from.schema)}, 'CREATE'),
      'replica', r.rolsuper${parameter}, 'seesAll', r.rolsuper OR r.rolbypassrls,
      'taken', (SELECT pg_catalog.min(x.what) FROM (
        SELECT pg_catalog.pg_describe_object('pg_catalog.pg_class'::pg_catalog.regclass::oid, c.oid, 0) AS what FROM pg_catalog.pg_class c
          WHERE c.relnamespace = ${place} AND c.relname = ${literal(oldTableName)} AND c.oid NOT IN (${from.oid}::oid, ${to.oid}::oid)
        UNION ALL SELECT pg_catalog.pg_describe_object('pg_catalog.pg_type'::pg_catalog.regclass::oid, t.oid, 0) FROM pg_catalog.pg_type t
          WHERE t.typnamespace = ${place} AND t.typname = ${literal(oldTableName)} AND t.typrelid NOT IN (${from.oid}::oid, ${to.oid}::oid) AND t.typelem = 0::oid) x),
      'eventTriggers', (SELECT coalesce(pg_catalog.json_agg(e.evtname ORDER BY e.evtname), '[]') FROM pg_catalog.pg_event_trigger e
        WHERE e.evtenabled IN ('O', 'A') AND e.evtevent <> 'login'))
    FROM pg_catalog.pg_roles r WHERE r.rolname = current_user`
}

function shapeSql({ oid }: CutoverTable): string {
  const related = (other: string, own: string): string =>
    `(SELECT coalesce(pg_catalog.json_agg(i.${other}::pg_catalog.regclass::text ORDER BY i.${other}), '[]') FROM pg_catalog.pg_inherits i WHERE i.${own} = c.oid)`
  return `
    SELECT pg_catalog.json_build_object('isPartition', c.relispartition, 'parents', ${related('inhparent', 'inhrelid')}, 'heirs', ${related('inhrelid', 'inhparent')},
      'isTemporary', c.relpersistence = 't', 'owner', pg_catalog.pg_get_userbyid(c.relowner), 'owned', pg_catalog.pg_has_role(c.relowner, 'USAGE'),
      'forced', c.relrowsecurity AND c.relforcerowsecurity)
    FROM pg_catalog.pg_class c WHERE c.oid = ${oid}::oid`
}
