/** Splits a table into pieces of a fixed number of rows: a statement on a large table would block all other work. */
import type Database from 'better-sqlite3'
import type { TableSpec } from '../../../model/copy/column-type.ts'
import type { SqlCondition } from '../../common/key-ranges.ts'
import { quote } from '../../common/sqlite-dialect/ddl.ts'
import { sqliteShape } from '../copy/shape.ts'
import { wideRowsOf } from '../reader.ts'

/**
 * Yields SQL conditions; each row of `within` meets one of them. The caller may delete the rows of a piece before it
 * requests the next condition.
 */
export function* rowPieces(
  connection: Database.Database,
  table: TableSpec,
  rows: number,
  within: SqlCondition = { sql: '1 = 1', parameters: [] },
): Generator<SqlCondition> {
  const { rowid } = sqliteShape(connection, table.table.name)
  const order = rowid === null ? table.key.map(quote) : [rowid]
  if (order.length === 0) {
    yield within
    return
  }
  const list = order.join(', ')
  const marks = order.map(() => '?').join(', ')
  let rest = within
  for (;;) {
    const [last] = wideRowsOf(
      connection,
      `SELECT ${list} FROM ${quote(table.table.name)} WHERE ${rest.sql} ORDER BY ${list} LIMIT 1 OFFSET ${rows - 1}`,
      rest.parameters,
    )
    if (last === undefined) {
      yield rest
      return
    }
    yield { sql: `(${list}) <= (${marks}) AND ${rest.sql}`, parameters: [...last, ...rest.parameters] }
    rest = { sql: `(${list}) > (${marks}) AND ${within.sql}`, parameters: [...last, ...within.parameters] }
  }
}
