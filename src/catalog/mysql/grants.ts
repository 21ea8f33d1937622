/** Statements that grant only the required rights for a catalog in MySQL or MariaDB. */
import type { SqlReader } from '../../model/run/sql-port.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { AccessLevel } from '../access-level.ts'
import type { GrantPlan, GrantOptions } from '../grant-plan.ts'
import { nameForSql } from '../../shared/name-for-sql.ts'
import type { RelationNames } from '../dialect-port.ts'
import { MIGRATIONS_RELATION } from '../relation-names.ts'
import { ADMIN_PRIVILEGES } from './rights.ts'

/** Backticks quote a name in every sql_mode of the session that runs the statement. */
const quoted = (name: string): string => nameForSql(name, '`')

const ROWS = ['SELECT', 'INSERT', 'UPDATE', 'DELETE']
const PRIVILEGES: Readonly<Record<AccessLevel, readonly string[]>> = {
  reader: ['SELECT'],
  importer: ROWS,
  admin: [...ROWS, ...ADMIN_PRIVILEGES],
}
const BY = 'a user that has these rights WITH GRANT OPTION'

/** @throws SluiceError BAD_FLAG, NOT_A_CATALOG */
export async function mysqlGrants(
  reader: SqlReader,
  { level, to }: GrantOptions,
  { tables, views }: RelationNames,
): Promise<GrantPlan> {
  const { account, ...doubt } = await accountOf(reader, to)
  const user = account.host === '' ? quoted(account.name) : `${quoted(account.name)}@${quoted(account.host)}`
  const [[name] = []] = await reader.all('SELECT database()')
  const database = String(name)
  const present = (
    await reader.all('SELECT table_name FROM information_schema.tables WHERE table_schema = database()')
  ).map(([table]) => String(table))
  const ours = new Set([...tables, ...views, MIGRATIONS_RELATION])
  const isAlone = present.every((table) => ours.has(table))
  const whole = await databasePattern(reader, database)
  const rights = PRIVILEGES[level].join(', ')
  if (isAlone || level === 'admin') {
    const wide = isAlone
      ? []
      : [`${database} also has other tables: users that may create tables in it get these rights on all of them`]
    return { statements: [`GRANT ${rights} ON ${whole}.* TO ${user}`], notes: wide, by: BY, ...doubt }
  }
  const catalog = present.filter((table) => ours.has(table))
  if (catalog.length === 0) {
    throw new SluiceError('NOT_A_CATALOG', 'the database has other tables, but no catalog yet', {
      hint: 'use a separate database for the catalog, or import a table first',
    })
  }
  const rightsOn = (table: string): string => (tables.includes(table) ? rights : 'SELECT')
  return {
    statements: catalog.map((table) => `GRANT ${rightsOn(table)} ON ${quoted(database)}.${quoted(table)} TO ${user}`),
    notes: [
      `${database} also has other tables, so rights are granted on each relation of the catalog: run grants again after an upgrade`,
    ],
    by: BY,
    ...doubt,
  }
}

/** A role of MariaDB has no host. */
type Account = { readonly name: string; readonly host: string }

/** @throws SluiceError BAD_FLAG if no user or several users match the name */
async function accountOf(
  reader: SqlReader,
  to: string,
): Promise<{ readonly account: Account; readonly unsure?: string }> {
  const at = to.lastIndexOf('@')
  const wanted: Account | null = at === -1 ? null : { name: to.slice(0, at), host: to.slice(at + 1) }
  let known: readonly Account[]
  try {
    const rows = await reader.all('SELECT user, host FROM mysql.user')
    known = rows.map(([name, host]) => ({ name: String(name), host: String(host) }))
  } catch (error) {
    if (!(error instanceof SluiceError) || error.code !== 'TARGET_DENIED') throw error
    const account = wanted ?? { name: to, host: '%' }
    return { account, unsure: `it is unknown whether ${to} exists: this login has no right to read mysql.user` }
  }
  const fitting = known.filter(({ name, host }) =>
    wanted === null ? name === to : name === wanted.name && host.toLowerCase() === wanted.host.toLowerCase(),
  )
  const [account] = fitting
  if (account === undefined) {
    const { name, host } = wanted ?? { name: to, host: '%' }
    throw new SluiceError('BAD_FLAG', `this server has no user ${to}`, {
      hint: `create it first: CREATE USER ${quoted(name)}@${quoted(host)} IDENTIFIED BY '…';`,
    })
  }
  if (fitting.length > 1) {
    throw new SluiceError('BAD_FLAG', `this server has ${fitting.length} users named ${to}`, {
      hint: `name one with its host: ${fitting.map(({ name, host }) => `${name}@${host}`).join(', ')}`,
    })
  }
  return { account }
}

/** In a grant on a whole database `_` and `%` are wildcards, unless the server has partial_revokes. */
async function databasePattern(reader: SqlReader, database: string): Promise<string> {
  const [[, partial] = []] = await reader.all("SHOW VARIABLES LIKE 'partial_revokes'")
  return quoted(partial === 'ON' ? database : database.replaceAll(/[\\_%]/g, String.raw`\$&`))
}
