/** Reads the rights of all roles but the owner on a table, revokes these rights, and grants them again. */
import { SluiceError } from '../../../../shared/errors.ts'
import { quoteName } from '../../server/connect.ts'
import type { CopySession } from '../../server/session.ts'
import { columnList, literal, tableSql } from '../../server/sql.ts'
import type { KnownTable } from '../../server/locks.ts'

/** @property column null for the whole table @property to null for PUBLIC @property by role that granted the right */
type Grant = {
  readonly column: string | null
  readonly to: string | null
  readonly privilege: string
  readonly grantable: boolean
  readonly by: string
}

/** Privilege names are not quoted in statements, so only these are allowed. */
const PRIVILEGE = /^[A-Z]+$/

/** Rights of all roles except the owner, including rights on columns. */
export async function readGrants(session: CopySession, oid: string): Promise<readonly Grant[]> {
  const number = `${literal(oid)}::oid`
  const of = (column: string, from: string): string =>
    `SELECT ${column} AS of_column, CASE e.grantee WHEN 0::oid THEN NULL ELSE pg_catalog.pg_get_userbyid(e.grantee) END AS grantee,
       e.privilege_type, e.is_grantable, pg_catalog.pg_get_userbyid(e.grantor) ${from} WHERE c.oid = ${number} AND e.grantee <> c.relowner`
  const rows = await session.ask(
    `${of('NULL', 'FROM pg_catalog.pg_class c, pg_catalog.aclexplode(c.relacl) e')} UNION ALL
     ${of('a.attname', 'FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped, pg_catalog.aclexplode(a.attacl) e')}
     ORDER BY 1 NULLS FIRST, 2 NULLS FIRST, 3`,
  )
  return rows.map(([column, to, privilege, grantable, by]) => ({
    column: column ?? null,
    to: to ?? null,
    privilege: privilege ?? '',
    grantable: grantable === 't',
    by: by ?? '',
  }))
}

/**
 * Revokes the rights of all roles but the owner.
 * @returns the revoked rights, as text for `grantAgain`
 * @throws SluiceError TABLE_REFUSED if a right is left
 */
export async function revokeAll(session: CopySession, { oid, name }: KnownTable): Promise<string> {
  const grants = await readGrants(session, oid)
  // CASCADE also revokes rights that these roles granted to others: they were recorded, too.
  for (const to of new Set(grants.map((grant) => roleSql(grant.to)))) {
    await session.ask(`REVOKE ALL PRIVILEGES ON TABLE ${tableSql(name)} FROM ${to} CASCADE`)
  }
  const [left] = await readGrants(session, oid)
  if (left === undefined) return JSON.stringify(grants)
  throw new SluiceError('TABLE_REFUSED', `${left.privilege} could not be revoked from ${left.to ?? 'PUBLIC'}`, {
    where: tableSql(name),
    hint: 'REVOKE it as the role that granted it, then run the same command again',
  })
}

/**
 * Grants the rights that `revokeAll` revoked. The owner grants all of them, also those that another role had granted.
 * @returns rights of roles or columns that no longer exist, as text
 * @throws SluiceError LEDGER_DAMAGED
 */
export async function grantAgain(
  session: CopySession,
  { oid, name }: KnownTable,
  text: string,
): Promise<readonly string[]> {
  const missing: string[] = []
  for (const { column, to, privilege, grantable } of parsed(text)) {
    const words = `${privilege}${column === null ? '' : ` of column ${column}`} for ${to ?? 'PUBLIC'}`
    if (!(await isThere(session, oid, to, column))) {
      missing.push(words)
      continue
    }
    const what = column === null ? privilege : `${privilege} (${columnList([column])})`
    await session.ask(
      `GRANT ${what} ON TABLE ${tableSql(name)} TO ${roleSql(to)}${grantable ? ' WITH GRANT OPTION' : ''}`,
    )
  }
  return missing
}

async function isThere(
  session: CopySession,
  oid: string,
  role: string | null,
  column: string | null,
): Promise<boolean> {
  return await session.isTrue(
    `SELECT ${role === null ? 'true' : `EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = ${literal(role)})`}
       AND ${column === null ? 'true' : `EXISTS (SELECT FROM pg_catalog.pg_attribute WHERE attrelid = ${literal(oid)}::oid AND attname = ${literal(column)} AND NOT attisdropped)`}`,
  )
}

function parsed(text: string): readonly Grant[] {
  try {
    const grants = JSON.parse(text) as readonly Grant[]
    if (Array.isArray(grants) && grants.every(({ privilege }) => PRIVILEGE.test(privilege))) return grants
  } catch {
    // Reported below.
  }
  throw new SluiceError('LEDGER_DAMAGED', 'the revoked rights in migration_decommissions cannot be read', {
    hint: 'grant the rights by hand: the column detail has the revoked ones',
  })
}

const roleSql = (role: string | null): string => (role === null ? 'PUBLIC' : quoteName(role))
