/**
 * Preflight checks of replication by triggers: everything about the server, the login and the tables that prevents it,
 * reported at once, before anything is created.
 */
import { backquotedTable } from '../../copy/names.ts'
import { noKeyText, tableText } from '../../../../model/copy/column-type.ts'
import type { FollowedTable, FollowPreflight, FollowRefusal } from '../../../../model/follow/port.ts'
import { grantedRights } from '../apply/rights.ts'
import { isSortable } from '../../copy/ranges.ts'
import { mysqlErrorNumber } from '../../error-numbers.ts'
import { loginOf } from '../../login.ts'
import type { MysqlSession } from '../../session.ts'
import { replicaFault } from './replica.ts'
import { cascadesOf, uniqueIndexes } from './shape.ts'

const NOT_REPORTED =
  'triggers record only rows, not DDL or TRUNCATE. Either halts the stream, which names the table to copy again'
/** Rights that logs need in the database of the URL. */
const FOR_LOGS = ['CREATE', 'DROP', 'SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRIGGER']

export async function checkMysqlTriggers(
  session: MysqlSession,
  database: string,
  tables: readonly FollowedTable[],
): Promise<FollowPreflight> {
  const refusals = [...(await inspectServer(session, database))]
  const identities: (readonly string[])[] = []
  for (const one of tables) {
    const found = await inspectTable(session, one)
    const { table } = one.table
    refusals.push(...found.obstacles.map(({ message, hint }) => ({ table, message: `${tableText(table)} ${message}`, hint }))) // prettier-ignore
    identities.push(found.obstacles.length === 0 ? found.identity : [])
  }
  return { refusals, notes: [NOT_REPORTED], identities, wal: null }
}

async function inspectServer(session: MysqlSession, database: string): Promise<readonly FollowRefusal[]> {
  const refusals: FollowRefusal[] = []
  const [[user] = []] = await session.rows('SELECT CURRENT_USER()')
  const login = await loginOf(session)
  const rights = await grantedRights(session, database, null)
  const lacking = FOR_LOGS.filter((right) => !rights.has(right))
  if (lacking.length > 0)
    refusals.push({
      message: `${String(user)} has no ${lacking.join(', ')} on database ${database}, which the logs of the stream need`,
      hint: `GRANT ${lacking.join(', ')} ON \`${database.replaceAll('`', '``')}\`.* TO ${login}; or name a database in the URL that is its own, and the tables as database.table`,
    })
  if (!rights.has('PROCESS'))
    refusals.push({
      message: `${String(user)} has no right PROCESS, without which a TRUNCATE cannot be detected: it fires no triggers`,
      hint: `GRANT PROCESS ON *.* TO ${login}`,
    })
  const [[log, format, trusts] = []] = await session.rows(
    'SELECT @@GLOBAL.log_bin, @@GLOBAL.binlog_format, @@GLOBAL.log_bin_trust_function_creators',
  )
  if (Number(log) === 1 && Number(trusts) !== 1 && !rights.has('SUPER'))
    refusals.push({
      message: `${String(user)} may not create triggers on a server that writes a binary log`,
      hint: `SET GLOBAL log_bin_trust_function_creators = 1, or GRANT SUPER ON *.* TO ${login}`,
    })
  if (Number(log) === 1 && String(format) === 'STATEMENT')
    refusals.push({
      message:
        'the server logs statements (binlog_format = STATEMENT), so notes would get other numbers on its replicas, and cannot be removed here',
      hint: 'SET GLOBAL binlog_format = MIXED, or ROW',
    })
  const replica = await replicaFault(session)
  if (replica !== null) refusals.push(replica)
  const [wsrep] = await session.command("SHOW GLOBAL VARIABLES LIKE 'wsrep_on'")
  if (String(wsrep?.[1] ?? '').toUpperCase() === 'ON')
    refusals.push({
      message:
        'the server is a node of a Galera cluster, where commits of other nodes do not become visible in a fixed order',
      hint: 'copy without a stream; each run with --again compares the tables again',
    })
  const prepared = await preparedTransactions(session)
  if (prepared !== null && prepared.length > 0)
    refusals.push({
      message: `XA transactions are prepared: ${prepared.join(', ')}. After a restart they hold no table locks, and their writes would not be recorded`,
      hint: 'end them with XA COMMIT or XA ROLLBACK, then run the same command again',
    })
  return refusals
}

/** Names of prepared XA transactions; null if the login has no right to see them. */
export async function preparedTransactions(session: MysqlSession): Promise<readonly string[] | null> {
  try {
    const rows = await session.command('XA RECOVER CONVERT XID')
    return rows.map(([, , , data]) => String(data))
  } catch (error) {
    if (session.broken !== null) throw error
    if (mysqlErrorNumber(error) === null) throw error
  }
  try {
    const rows = await session.command('XA RECOVER')
    return rows.map(([, , , data]) => String(data))
  } catch (error) {
    if (session.broken !== null || mysqlErrorNumber(error) === null) throw error
    return null
  }
}

type Obstacle = Omit<FollowRefusal, 'table'>

async function inspectTable(
  session: MysqlSession,
  { table: spec, columns }: FollowedTable,
): Promise<{ readonly identity: readonly string[]; readonly obstacles: readonly Obstacle[] }> {
  const { table } = spec
  const obstacles: Obstacle[] = []
  const [[engine, kind] = []] = await session.rows(
    'SELECT ENGINE, TABLE_TYPE FROM information_schema.TABLES WHERE TABLE_SCHEMA = COALESCE(?, DATABASE()) AND TABLE_NAME = ?',
    [table.schema ?? null, table.name],
  )
  if (kind === undefined) return { identity: [], obstacles: [{ message: 'no longer exists', hint: 'run the same command again' }] } // prettier-ignore
  if (engine !== 'InnoDB')
    obstacles.push({
      message: `is a table of ${String(engine)}, which has no transactions: its rows and their notes could not be committed together`,
      hint: 'ALTER TABLE … ENGINE = InnoDB, or leave it out',
    })
  if (kind === 'SYSTEM VERSIONED')
    obstacles.push({
      message: 'keeps the history of its rows (WITH SYSTEM VERSIONING), which is deleted without a trigger',
      hint: 'leave it out, and copy it without a stream',
    })
  const index = keyIndexOf(await uniqueIndexes(session, table), spec.key)
  if (index === null)
    obstacles.push({
      message:
        spec.key.length === 0
          ? spec.floatKey === undefined
            ? 'has no key that identifies its rows'
            : noKeyText(spec)
          : `has no unique index without NULL on (${spec.key.join(', ')}) to identify its rows`,
      hint: 'give it a primary key, name another unique key with --key, or leave the table out',
    })
  for (const name of spec.key) {
    const found = spec.columns.find((column) => column.name === name)
    if (found !== undefined && !isSortable(found))
      obstacles.push({
        message: `cannot be replicated by ${name} (${found.native}), which is not compared exactly`,
        hint: 'name another unique key with --key, or leave the table out',
      })
    if (!columns.some((column) => column.name === name))
      obstacles.push({
        message: `cannot be replicated without its column ${name}, which is in its key`,
        hint: 'add it to --columns',
      })
  }
  for (const cascade of await cascadesOf(session, table))
    obstacles.push({
      message: `has the foreign key ${cascade}: changes that the server makes by it fire no triggers`,
      hint: 'recreate the key with ON DELETE RESTRICT ON UPDATE RESTRICT and let the application delete its rows, or leave the table out',
    })
  const rights = await grantedRights(session, table.schema, table.name)
  const lacking = ['SELECT', 'TRIGGER'].filter((right) => !rights.has(right))
  if (lacking.length > 0)
    obstacles.push({
      message: `cannot get triggers: this login has no ${lacking.join(', ')} on the table`,
      hint: `GRANT ${lacking.join(', ')} ON ${backquotedTable(table)} TO ${await loginOf(session)}`,
    })
  return { identity: spec.key, obstacles }
}

/** The unique index on exactly these columns, the primary key first; null if there is none. */
export function keyIndexOf(unique: Readonly<Record<string, readonly string[]>>, key: readonly string[]): string | null {
  const fits = ([, columns]: readonly [string, readonly string[]]): boolean =>
    columns.length === key.length && key.every((name) => columns.includes(name))
  const found = Object.entries(unique).filter(fits)
  const [best] = found.toSorted(([a], [b]) => Number(b === 'PRIMARY') - Number(a === 'PRIMARY'))
  return best?.[0] ?? null
}
