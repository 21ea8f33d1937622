/** Splits a table into pieces of a fixed number of rows: a statement on a large table would block all other work. */
import type { TableSpec } from '../../../model/copy/column-type.ts'
import type { SqlCondition } from '../../common/key-ranges.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import { quote } from '../../common/sqlite-dialect/ddl.ts'
import type { SqliteShape } from '../copy/shape.ts'

/**
 * SQL conditions; each row of `within` meets one of them. Rows of a piece may be deleted before the next condition is
 * requested.
 * @param ask returns the rows of a statement, integers as bigints
 */
export function* hops(
  table: TableSpec,
  { rowid }: SqliteShape,
  within: SqlCondition,
  rows: number,
  ask: (sql: string, parameters: SqlRow) => readonly SqlRow[],
): Generator<SqlCondition> {
  const order = rowid === null ? table.key.map(quote) : [rowid]
  if (order.length === 0) {
    yield within
    return
  }
  const list = order.join(', ')
  const marks = order.map(() => '?').join(', ')
  let rest = within
  for (;;) {
    const [last] = ask(
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
