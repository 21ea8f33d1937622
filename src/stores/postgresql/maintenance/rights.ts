/** Rights that default privileges give to others with everything that is made. */
import type { CopySession } from '../copy/session.ts'
import { literal } from '../copy/sql.ts'

/** Takes them away, in the transaction in which it was made. For a session whose search path is empty. @param oid number of the table, sequence or function */
export async function revokeOthers(
  session: CopySession,
  kind: 'TABLE' | 'SEQUENCE' | 'FUNCTION',
  oid: string,
): Promise<void> {
  const number = `${literal(oid)}::oid`
  const isFunction = kind === 'FUNCTION'
  const name = `${number}::pg_catalog.${isFunction ? 'regprocedure' : 'regclass'}`
  const owned = isFunction
    ? `SELECT proowner, coalesce(proacl, pg_catalog.acldefault('f', proowner)) FROM pg_catalog.pg_proc WHERE oid = ${number}`
    : `SELECT relowner, relacl FROM pg_catalog.pg_class WHERE oid = ${number}`
  const rows = await session.ask(
    `SELECT DISTINCT ${name}::text, CASE e.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(e.grantee)) END
     FROM (${owned}) AS o (owner, acl), pg_catalog.aclexplode(o.acl) e WHERE e.grantee <> o.owner`,
  )
  for (const [one, role] of rows) await session.ask(`REVOKE ALL ON ${kind} ${one ?? ''} FROM ${role ?? ''}`)
}
