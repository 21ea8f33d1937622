/** Rights that roles and this login need besides those on the table, in both databases of a cutover. */
import type { SwitchFinding } from '../../../../model/follow/switch-port.ts'
import { quoteName } from '../../server/connect.ts'
import { literal } from '../../server/sql.ts'
import type { Numbering } from './sequences.ts'

/** A role that has rights on the table, directly or through other roles, or PUBLIC. */
export type UserFact = {
  readonly role: string
  readonly mayInsert: boolean
  /** True if it may use the table's schema. */
  readonly hasSchema: boolean
  /**
   * Sequences that the role may not use, although defaults of columns use them. The sequence of an identity column
   * needs no right.
   */
  readonly barred: readonly { readonly column: string; readonly sequence: string }[]
}

/** SQL of a subquery: `UserFact` of roles of the table `c` that have rights on it, its schema or its sequences. */
export const usersSql = `SELECT ${userSql()} FROM (
    SELECT e.grantee FROM pg_catalog.aclexplode(c.relacl) e
    UNION SELECT e.grantee FROM pg_catalog.pg_attribute b, LATERAL pg_catalog.aclexplode(b.attacl) e WHERE b.attrelid = c.oid
    UNION SELECT e.grantee FROM pg_catalog.pg_namespace n, LATERAL pg_catalog.aclexplode(n.nspacl) e WHERE n.oid = c.relnamespace
    UNION SELECT e.grantee FROM (${defaultsSql()}) q, LATERAL pg_catalog.aclexplode(q.relacl) e
    UNION SELECT c.relowner) u (oid)
  WHERE pg_catalog.has_table_privilege(u.oid, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE') OR pg_catalog.has_any_column_privilege(u.oid, c.oid, 'SELECT, INSERT, UPDATE')`

/** SQL: `UserFact` of each of these roles that exists in this database. */
export function usersNamedSql(oid: string, roles: readonly string[]): string {
  const names = `ARRAY[${roles.map(literal).join(', ')}]::text[]`
  return `SELECT ${userSql()} FROM pg_catalog.pg_class c, (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = ANY (${names})
    UNION ALL SELECT 0::oid WHERE 'PUBLIC' = ANY (${names})) u WHERE c.oid = ${oid}::oid`
}

/** SQL: facts of role `u` for the table `c`. The OID 0 is PUBLIC. */
function userSql(): string {
  return `pg_catalog.json_build_object('role', CASE u.oid WHEN 0::oid THEN 'PUBLIC' ELSE pg_catalog.pg_get_userbyid(u.oid) END,
    'mayInsert', pg_catalog.has_table_privilege(u.oid, c.oid, 'INSERT') OR pg_catalog.has_any_column_privilege(u.oid, c.oid, 'INSERT'),
    'hasSchema', pg_catalog.has_schema_privilege(u.oid, c.relnamespace, 'USAGE'),
    'barred', (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('column', q.attname, 'sequence', q.sequence) ORDER BY q.attname), '[]')
      FROM (${defaultsSql()}) q WHERE CASE q.relkind WHEN 'S' THEN NOT pg_catalog.has_sequence_privilege(u.oid, q.oid, 'USAGE, UPDATE') END))`
}

/** SQL of a subquery: the sequences in defaults of the table `c`. The server may test their rights before `relkind`. */
function defaultsSql(): string {
  return `SELECT s.oid, s.relkind, s.relacl, a.attname, pg_catalog.format('%I.%I', n.nspname, s.relname) AS sequence
    FROM pg_catalog.pg_attrdef f JOIN pg_catalog.pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum
      JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass::oid AND d.objid = f.oid AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid
      JOIN pg_catalog.pg_class s ON s.oid = d.refobjid AND s.relkind = 'S' JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace WHERE f.adrelid = c.oid`
}

/** Rights that users of the source need in the target. @param schema of the target table, in SQL */
export function userFindings(
  from: readonly UserFact[],
  to: readonly UserFact[],
  schema: string,
): readonly SwitchFinding[] {
  return from.flatMap((one) => {
    const there = to.find(({ role }) => role === one.role)
    if (there === undefined) return []
    const who = one.role === 'PUBLIC' ? one.role : quoteName(one.role)
    const lacks = (about: string, object: string, what: string): SwitchFinding => ({
      verdict: 'refused',
      about,
      object: `USAGE to ${one.role}`,
      detail: `the target does not grant it on ${object}`,
      hint: `GRANT USAGE ON ${what} TO ${who}`,
    })
    const barred = there.barred.filter(({ column }) => !one.barred.some((each) => each.column === column))
    return [
      ...(one.hasSchema && !there.hasSchema ? [lacks('schema', schema, `SCHEMA ${schema}`)] : []),
      ...(one.mayInsert ? barred.map(({ sequence }) => lacks('sequence', sequence, `SEQUENCE ${sequence}`)) : []),
    ]
  })
}

type Login = { readonly me: string; readonly sequences: readonly Numbering[] }

/** Rights of this login: without them the cutover would fail while the source is closed. */
export function sequenceFindings(from: Login, to: Login): readonly SwitchFinding[] {
  const lacks = (sequence: string, side: string, rights: string, me: string): SwitchFinding => ({
    verdict: 'refused',
    about: 'sequence',
    object: sequence,
    detail: `the cutover needs ${rights} on it in the ${side}, and ${me} does not have it`,
    hint: `GRANT ${rights} ON SEQUENCE ${sequence} TO ${quoteName(me)}`,
  })
  return [
    ...from.sequences.filter(({ isReadable }) => !isReadable).map(({ sql }) => lacks(sql, 'source', 'SELECT', from.me)),
    ...to.sequences
      .filter(({ column }) => from.sequences.some((one) => one.column === column))
      .filter(({ isReadable, isMovable }) => !isReadable || !isMovable)
      .map(({ sql }) => lacks(sql, 'target', 'SELECT, UPDATE', to.me)),
  ]
}
