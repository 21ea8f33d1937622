/** Rights that default privileges grant on every new object. */
import type { CopySession } from '../../server/session.ts'
import { literal } from '../../server/sql.ts'

const RELATION = { type: 'regclass', owned: 'SELECT relowner, relacl FROM pg_catalog.pg_class' }
const OWNED = {
  TABLE: RELATION,
  SEQUENCE: RELATION,
  FUNCTION: {
    type: 'regprocedure',
    owned: `SELECT proowner, coalesce(proacl, pg_catalog.acldefault('f', proowner)) FROM pg_catalog.pg_proc`,
  },
  SCHEMA: { type: 'regnamespace', owned: 'SELECT nspowner, nspacl FROM pg_catalog.pg_namespace' },
}

/**
 * Revokes the rights of default privileges, in the transaction that created the object. The search path must be empty.
 * @param oid of the table, sequence, function or schema
 */
export async function revokeOthers(
  session: CopySession,
  kind: 'TABLE' | 'SEQUENCE' | 'FUNCTION' | 'SCHEMA',
  oid: string,
): Promise<void> {
  const number = `${literal(oid)}::oid`
  const { type, owned } = OWNED[kind]
  const name = `${number}::pg_catalog.${type}`
  const rows = await session.ask(
    `SELECT DISTINCT ${name}::text, CASE e.grantee WHEN 0::oid THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(e.grantee)) END
     FROM (${owned} WHERE oid = ${number}) AS o (owner, acl), pg_catalog.aclexplode(o.acl) e WHERE e.grantee <> o.owner`,
  )
  for (const [one, role] of rows) await session.ask(`REVOKE ALL ON ${kind} ${one ?? ''} FROM ${role ?? ''}`)
}
