/** Foreign keys that refer to a table of MySQL, and the rows that refer to its rows. */
import type { TableName } from '../../../model/copy/column-type.ts'
import type { CountedKey, Orphans, Referrer, ReferringRow, TableKey } from '../../../model/archive/constraints-port.ts'
import { orphansSql, referringSql } from '../../common/referring-sql.ts'
import { quoted, mysqlTableSql } from '../copy/names.ts'
import { mysqlErrorNumber } from '../errors.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import type { MysqlSession } from '../session.ts'
import { groupBy } from '../../../shared/group-by.ts'

/** Error numbers of MySQL and of MariaDB: the statement reached its timeout. */
const TOO_LONG = new Set([3024, 1969])
/** Error numbers: no right to read the table, or a column of it. */
const DENIED = new Set([1142, 1143])
/** Error number: there is no such table. */
const NO_TABLE = 1146

/** Foreign keys that refer to the table, of tables that this user may see. @throws errors of the server */
export async function mysqlReferrers(session: MysqlSession, table: TableName): Promise<readonly Referrer[]> {
  return (await mysqlKeys(session, table)).flatMap(({ key, arrives }) => (arrives ? [key] : []))
}

/** See `ReferrerStore.keys`; of tables that this user may see. @throws errors of the server */
export async function mysqlKeys(session: MysqlSession, { schema, name }: TableName): Promise<readonly TableKey[]> {
  const leaves = 'k.TABLE_SCHEMA = COALESCE(?, DATABASE()) AND k.TABLE_NAME = ?'
  const arrives = 'k.REFERENCED_TABLE_SCHEMA = COALESCE(?, DATABASE()) AND k.REFERENCED_TABLE_NAME = ?'
  const names = [schema ?? null, name, schema ?? null, name]
  const rows = await session.rows(
    `SELECT k.TABLE_SCHEMA, k.TABLE_NAME, k.CONSTRAINT_NAME, k.COLUMN_NAME, k.REFERENCED_TABLE_SCHEMA, k.REFERENCED_TABLE_NAME,
       k.REFERENCED_COLUMN_NAME, r.DELETE_RULE, ${leaves}, ${arrives}
     FROM information_schema.KEY_COLUMN_USAGE k JOIN information_schema.REFERENTIAL_CONSTRAINTS r
       ON r.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA AND r.CONSTRAINT_NAME = k.CONSTRAINT_NAME AND r.TABLE_NAME = k.TABLE_NAME
     WHERE k.REFERENCED_TABLE_NAME IS NOT NULL AND (${leaves} OR ${arrives})
     ORDER BY k.TABLE_SCHEMA, k.TABLE_NAME, k.CONSTRAINT_NAME, k.ORDINAL_POSITION`,
    [...names, ...names],
  )
  const byKey = groupBy(rows, ([place, table, constraint]) => JSON.stringify([place, table, constraint]))
  return [...byKey.values()].map((parts) => {
    const [[place, table, constraint, , home, parent, , rule, from, into] = []] = parts
    const onDelete = String(rule)
    const [isOf, leadsTo] = [Number(from) === 1, Number(into) === 1]
    const key = {
      name: String(constraint),
      table: { schema: String(place), name: String(table) },
      columns: parts.map(([, , , column]) => String(column)),
      to: parts.map(([, , , , , , to]) => String(to)),
      onDelete,
      stopsRemoval: onDelete === 'CASCADE' || onDelete.startsWith('SET'),
      own: isOf && leadsTo,
    }
    return { key, parent: { schema: String(home), name: String(parent) }, leaves: isOf, arrives: leadsTo }
  })
}

/** A row that refers to rows of the table; null if there is none; or why this is unknown. @throws server errors */
export async function mysqlReferringRow(
  session: MysqlSession,
  table: TableName,
  referrer: Referrer,
  condition: string | null,
  timeLimitMs: number,
): Promise<ReferringRow> {
  const sql = referringSql(table, referrer, condition, {
    quote: quoted,
    table: mysqlTableSql,
    text: (expression) => `CAST(${expression} AS CHAR)`,
  })
  return await limited(session, sql, timeLimitMs, 'no such row was found', (row) =>
    row === undefined ? null : { values: row.map(String) },
  )
}

/**
 * Number of rows that refer to a missing row, or why it is unknown.
 * @param isGone true if the referenced table does not exist
 * @throws if the connection is lost
 */
export async function mysqlOrphans(
  session: MysqlSession,
  key: CountedKey,
  timeLimitMs: number,
  isGone = false,
): Promise<Orphans> {
  const sql = orphansSql(key, { quote: quoted, table: mysqlTableSql }, isGone)
  try {
    return await limited(session, sql, timeLimitMs, 'not counted', (row) => ({ rows: BigInt(String(row?.[0] ?? 0)) }))
  } catch (error) {
    // With foreign_key_checks = 0 the referenced table can be dropped, or be created later.
    if (!isGone && mysqlErrorNumber(error) === NO_TABLE) return await mysqlOrphans(session, key, timeLimitMs, true)
    if (session.alive && mysqlErrorNumber(error) !== null) return { unknown: (error as Error).message }
    throw error
  }
}

/** Runs a query with a timeout. @param late reason if the timeout is reached @param answer converts the row */
async function limited<T>(
  session: MysqlSession,
  sql: string,
  timeLimitMs: number,
  late: string,
  answer: (row: SqlRow | undefined) => T,
): Promise<T | { readonly unknown: string }> {
  const ms = Math.max(1, Math.ceil(timeLimitMs))
  const statement =
    session.facts.flavour === 'mariadb'
      ? `SET STATEMENT max_statement_time = ${ms / 1000} FOR ${sql}`
      : sql.replace('SELECT', `SELECT /*+ MAX_EXECUTION_TIME(${ms}) */`)
  try {
    const [row] = await session.command(statement)
    return answer(row)
  } catch (error) {
    const number = mysqlErrorNumber(error)
    if (number !== null && TOO_LONG.has(number)) return { unknown: `${late} within ${ms} ms` }
    if (number !== null && DENIED.has(number)) return { unknown: (error as Error).message }
    throw error
  }
}
