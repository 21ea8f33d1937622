/** Distinct values of a column of a table. */
import { isEnum } from '../../../model/copy/members.ts'
import type { Column, TableSpec } from '../../../model/copy/column-type.ts'
import type { ColumnValues } from '../../../model/archive/values-port.ts'
import type { MysqlSession } from '../session.ts'
import { enumMemberSql } from '../copy/cells.ts'
import { quoted, mysqlTableSql } from '../copy/names.ts'

/** See `RowValues.values`. Enums are texts. @throws errors of the server */
export async function mysqlColumnValues(
  session: MysqlSession,
  table: TableSpec,
  column: Column,
  most: number,
): Promise<ColumnValues | null> {
  const text = textOf(quoted(column.name), column)
  if (text === null) return null
  const rows = await session.rows(
    `SELECT value, CAST(COUNT(*) AS CHAR) FROM (SELECT ${text} AS value FROM ${mysqlTableSql(table.table)}) AS one GROUP BY value LIMIT ${most + 1}`,
  )
  const values = rows.slice(0, most).map(([value, count]) => ({
    value: value == null ? null : Buffer.from(String(value), 'hex').toString('utf8'),
    rows: BigInt(String(count)),
  }))
  return { values, more: rows.length > most }
}

/** SQL for a value's text as hexadecimal digits, so that no collation makes different values equal. */
function textOf(name: string, { type }: Column): string | null {
  switch (type.kind) {
    case 'bool':
    case 'int':
      // `+ 0` converts to a number: the server prints bits as bytes, and years with leading zeros.
      return `HEX(CAST(${name} + 0 AS CHAR))`
    case 'decimal':
    case 'date':
    case 'uuid':
      return `HEX(CAST(${name} AS CHAR))`
    case 'text':
      return `HEX(CONVERT(${name} USING utf8mb4))`
    case 'native':
      return isEnum(type.name) ? `HEX(CONVERT(${enumMemberSql(name, type)} USING utf8mb4))` : null
    default:
      return null
  }
}
