/** Checks a user's rights on the server without changing data. */
import { putColumns } from '../../../common/apply/puts.ts'
import type { ChangeTable } from '../../../../model/follow/port.ts'
import { mysqlErrorNumber } from '../../errors.ts'
import { quoted, mysqlTableSql } from '../../copy/names.ts'
import type { MysqlSession } from '../../session.ts'

/** Error numbers: no right on the table, or on one of its columns. */
const NO_RIGHT = new Set([1142, 1143])
/** Error number: no right on the database. */
const NO_DATABASE = 1044

/** Rights on the table that changes need and the user lacks. EXPLAIN requires the same rights as the statement. */
export async function missingRights(request: ChangeTable, session: MysqlSession): Promise<readonly string[]> {
  const from = mysqlTableSql(request.table.table)
  const written = putColumns(request)
  const names = written.map(({ name }) => quoted(name)).join(', ')
  const sets = written.map(({ name }) => `${quoted(name)} = ${quoted(name)}`).join(', ')
  const statements = {
    SELECT: `SELECT ${names} FROM ${from}`,
    INSERT: `INSERT INTO ${from} (${names}) SELECT ${names} FROM ${from} WHERE 1 = 0`,
    UPDATE: `UPDATE ${from} SET ${sets} WHERE 1 = 0`,
    DELETE: `DELETE FROM ${from} WHERE 1 = 0`,
  }
  const missing: string[] = []
  for (const [right, sql] of Object.entries(statements)) {
    if (!(await allowed(session, `EXPLAIN ${sql}`))) missing.push(right)
  }
  // Without SELECT the other statements fail too, so it comes first.
  return missing.includes('SELECT') ? ['SELECT', ...missing.filter((right) => right !== 'SELECT')] : missing
}

/** True if the user may create a temporary table, which staging needs. */
export async function mayStage(session: MysqlSession): Promise<boolean> {
  const name = quoted('sluice_changes_may')
  if (!(await allowed(session, `CREATE TEMPORARY TABLE ${name} (n INT) ENGINE = InnoDB`))) return false
  await session.command(`DROP TEMPORARY TABLE ${name}`)
  return true
}

/** True if the user can see a table's triggers: without the right the dictionary shows none, without an error. */
export async function seesTriggers({ table }: ChangeTable['table'], session: MysqlSession): Promise<boolean> {
  return (await grantedRights(session, table.schema, table.name)).has('TRIGGER')
}

/**
 * Rights of the user and of the enabled roles, as GRANT names them: on the server, on a database, and on a table in it.
 * @param schema absent for the database of the session
 * @param table null for rights on the database as a whole
 */
export async function grantedRights(
  session: MysqlSession,
  schema: string | undefined,
  table: string | null,
): Promise<ReadonlySet<string>> {
  const [[role, user] = []] = await session.rows('SELECT CURRENT_ROLE(), CURRENT_USER()')
  const own = String(user)
  const at = own.lastIndexOf('@')
  const grantees = [`'${own.slice(0, at)}'@'${own.slice(at + 1)}'`]
  const roles = role == null || role === 'NONE' ? [] : String(role).replaceAll('`', '').split(/,\s*/)
  for (const one of roles) {
    const [name = '', host = '%'] = one.split('@')
    // MariaDB writes roles without a host, or with an empty one.
    grantees.push(`'${name}'@'${host}'`, `'${name}'@''`, `'${name}'`, name)
  }
  const marks = grantees.map(() => '?').join(', ')
  const granted = (view: string, more: string): string =>
    `SELECT PRIVILEGE_TYPE FROM information_schema.${view} WHERE GRANTEE IN (${marks})${more}`
  // The schema is a pattern in rights on schemas, and a name in rights on tables.
  const inSchema = ' AND COALESCE(?, DATABASE()) LIKE TABLE_SCHEMA'
  const rows = await session.rows(
    [
      granted('USER_PRIVILEGES', ''),
      granted('SCHEMA_PRIVILEGES', inSchema),
      granted('TABLE_PRIVILEGES', ' AND COALESCE(?, DATABASE()) = TABLE_SCHEMA AND TABLE_NAME = ?'),
    ].join(' UNION '),
    [...grantees, ...grantees, schema ?? null, ...grantees, schema ?? null, table ?? ''],
  )
  return new Set(rows.map(([right]) => String(right)))
}

async function allowed(session: MysqlSession, sql: string): Promise<boolean> {
  try {
    await session.command(sql)
    return true
  } catch (error) {
    const number = mysqlErrorNumber(error)
    if (number === NO_DATABASE || (number !== null && NO_RIGHT.has(number))) return false
    throw error
  }
}
