/** Columns that the dictionary hides from a login: it shows only those on which the login has a right. */
import { tableText, type TableName } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { mysqlErrorNumber } from '../error-numbers.ts'
import { loginOf } from '../login.ts'
import type { MysqlSession } from '../session.ts'
import { mysqlTableSql } from './names.ts'

/** Error numbers: the login has no right to read the table, or a column. */
const DENIED = new Set([1142, 1143])
const LOCK_WAIT = 1205

/** True if the login sees all columns: for `*` the server checks all of them, including INVISIBLE ones. */
export async function readsAll(session: MysqlSession, table: TableName): Promise<boolean> {
  try {
    // Selects a constant: with some column names in a result the driver ends the connection.
    await session.rows(`SELECT 1 FROM (SELECT * FROM ${mysqlTableSql(table)} LIMIT 0) AS every_column`)
    return true
  } catch (error) {
    const errno = mysqlErrorNumber(error)
    if (DENIED.has(errno ?? 0)) return false
    // After a lock timeout the dictionary may leave out this table without an error, so report the timeout.
    if (errno === LOCK_WAIT) throw error
    // Any other obstacle is reported by the statement that reads the table.
    if (session.broken !== null) throw error
    return true
  }
}

/** @throws SluiceError SOURCE_DENIED */
export async function refuseMysqlHiddenColumns(session: MysqlSession, table: TableName): Promise<void> {
  if (await readsAll(session, table)) return
  throw new SluiceError('SOURCE_DENIED', `the login may not read all columns of ${tableText(table)}`, {
    where: tableText(table),
    reason: 'values of the other columns cannot be proved, and would be lost when the rows are removed',
    hint: `as an administrator: GRANT SELECT ON ${tableText(table)} TO ${await loginOf(session)}`,
    kind: 'source',
  })
}
