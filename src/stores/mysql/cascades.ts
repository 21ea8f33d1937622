/**
 * Tables in which a DELETE of another table deletes or changes rows, including tables that the login has no right to
 * see. information_schema shows a foreign key only to a login that has a right other than SELECT on the table with the
 * key.
 */
import { tableText, type TableName } from '../../model/copy/column-type.ts'
import { SluiceError } from '../../shared/errors.ts'
import { sqlLiteral } from '../../shared/sql-text.ts'
import { mysqlTableSql } from './copy/names.ts'
import { mysqlErrorNumber } from './error-numbers.ts'
import { loginOf } from './login.ts'
import type { MysqlSession } from './session.ts'

/** Error number: InnoDB's own list of foreign keys needs PROCESS. */
const NO_PROCESS = 1227
/** Bits of TYPE in InnoDB's list: ON DELETE CASCADE, and ON DELETE SET NULL. */
const CASCADES = 1 + 2
/** The first MariaDB version whose EXPLAIN DELETE was measured to open the tables that a DELETE would change. */
const OPENS_CASCADES_SINCE = [10, 11] as const
/** Attempts: the first statement may open the tables of statistics, too. */
const TRIES = 3

export type Deletion = {
  readonly table: TableName
  /** Refused tables: `all` tables whose rows would change, or `hidden` ones, which information_schema does not show. */
  readonly refused: 'all' | 'hidden'
  /** What the user can do about the named foreign keys. */
  readonly remedy: string
  /** An alternative that deletes nothing, so that no right to see foreign keys is needed; absent if there is none. */
  readonly without?: string
}

/**
 * Refuses a DELETE that changes rows of other tables, or that may change rows of tables that the login cannot see.
 * @throws SluiceError TABLE_REFUSED
 */
export async function refuseCascadingDelete(
  session: MysqlSession,
  { table, refused, remedy, without }: Deletion,
): Promise<void> {
  const where = tableText(table)
  const listed = await listedCascades(session, table)
  // Return before the next statement, which takes long: the server may open every table for it.
  if (listed?.length === 0) return
  const seen = await visibleCascades(session, table)
  const followers = [...new Set([...seen, ...(listed ?? [])])].filter(
    (name) => refused === 'all' || !seen.includes(name),
  )
  if (followers.length > 0) {
    throw new SluiceError(
      'TABLE_REFUSED',
      `rows of ${where} cannot be removed: rows of ${followers.join(', ')} would be deleted or changed with them`,
      {
        where,
        reason: 'their foreign keys have ON DELETE CASCADE or SET NULL',
        hint: remedy,
      },
    )
  }
  if (listed !== null || (await opensNoOther(session, table, seen.length))) return
  throw new SluiceError(
    'TABLE_REFUSED',
    `rows of ${where} cannot be removed: rows of tables that the login may not see could be deleted with them`,
    {
      where,
      reason:
        'foreign keys of such tables may have ON DELETE CASCADE or SET NULL, and the server lists them only to a user with PROCESS',
      hint: `${without === undefined ? '' : `${without}; or, `}as an administrator: GRANT PROCESS ON *.* TO ${await loginOf(session)}`,
    },
  )
}

/** Tables whose rows would be deleted or changed, as information_schema shows them. */
async function visibleCascades(session: MysqlSession, { schema, name }: TableName): Promise<readonly string[]> {
  const rows = await session.rows(
    `SELECT DISTINCT CONCAT(CONSTRAINT_SCHEMA, '.', TABLE_NAME) FROM information_schema.REFERENTIAL_CONSTRAINTS
      WHERE UNIQUE_CONSTRAINT_SCHEMA = COALESCE(?, DATABASE()) AND REFERENCED_TABLE_NAME = ? AND DELETE_RULE IN ('CASCADE', 'SET NULL', 'SET DEFAULT')`,
    [schema ?? null, name],
  )
  return rows.map(([follower]) => String(follower))
}

/** Tables whose rows would be deleted or changed, by InnoDB's own list; null without the right to read it. */
async function listedCascades(session: MysqlSession, table: TableName): Promise<readonly string[] | null> {
  const list = session.facts.flavour === 'mariadb' ? 'INNODB_SYS_FOREIGN' : 'INNODB_FOREIGN'
  const schema = table.schema === undefined ? 'DATABASE()' : sqlLiteral(table.schema)
  const named = `CONCAT(${inList(schema)}, '/', ${inList(sqlLiteral(table.name))})`
  try {
    const rows = await session.command(
      `SELECT ${fromList("SUBSTRING_INDEX(FOR_NAME, '/', 1)")}, ${fromList("SUBSTRING_INDEX(FOR_NAME, '/', -1)")}, REF_NAME, ${named}
       FROM information_schema.${list} WHERE REF_NAME = ${named} AND TYPE & ${CASCADES} <> 0`,
    )
    const isSame = (one: string, other: string): boolean => session.facts.foldsTables || one === other
    return rows.flatMap(([place, name, to, wanted]) =>
      isSame(String(to), String(wanted)) ? [`${String(place)}.${String(name)}`] : [],
    )
  } catch (error) {
    if (mysqlErrorNumber(error) === NO_PROCESS) return null
    throw error
  }
}

/** A name as InnoDB lists it, which is a file name: a letter outside of ASCII is spelled with @. */
function inList(name: string): string {
  return `CONVERT(CAST(CONVERT(${name} USING filename) AS BINARY) USING utf8mb4)`
}

function fromList(name: string): string {
  return `CONVERT(CONVERT(CAST(${name} AS BINARY) USING filename) USING utf8mb4)`
}

/**
 * True if a DELETE opens no tables besides its own and the known ones. MariaDB opens and locks all tables that a DELETE
 * may change, also for EXPLAIN, and even tables that the login has no right to see. It counts the opened tables per
 * session.
 * @param known number of other tables that it opens according to information_schema
 * @returns false too if this was not measured for the server, or if a trigger opens tables
 */
async function opensNoOther(session: MysqlSession, table: TableName, known: number): Promise<boolean> {
  if (session.facts.flavour !== 'mariadb' || !isMeasured(session.facts.version)) return false
  for (let tries = TRIES; tries > 0; tries--) {
    const before = await openedTables(session)
    await session.command(`EXPLAIN DELETE FROM ${mysqlTableSql(table)} WHERE 1 = 0`)
    const opened = (await openedTables(session)) - before
    if (opened >= 1 && opened <= 1 + known) return true
  }
  return false
}

async function openedTables(session: MysqlSession): Promise<number> {
  const counts = await session.command(
    "SHOW SESSION STATUS WHERE Variable_name IN ('Table_open_cache_hits', 'Table_open_cache_misses')",
  )
  return counts.reduce((sum, [, count]) => sum + Number(count), 0)
}

function isMeasured(version: string): boolean {
  const [major = 0, minor = 0] = version
    .replace(/^5\.5\.5-/, '')
    .split('.')
    .map(Number)
  const [least, from] = OPENS_CASCADES_SINCE
  return major > least || (major === least && minor >= from)
}
