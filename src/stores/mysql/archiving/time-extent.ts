/** From when to when the rows of a table are. */
import { date, moment } from '../../../model/copy/canonical-time.ts'
import type { Column, TableSpec } from '../../../model/copy/column-type.ts'
import type { TimeExtent } from '../../copy-port.ts'
import type { SqlValue } from '../../port.ts'
import type { Session } from '../session.ts'
import { quoted, tableSql } from '../copy/names.ts'

/**
 * The ends come from an index where there is one; NULLs are counted where the column may hold them.
 * @throws SluiceError VALUE_REFUSED for days such as 0000-00-00; errors of the server
 */
export async function timeExtent(session: Session, table: TableSpec, column: Column): Promise<TimeExtent> {
  const name = quoted(column.name)
  const from = tableSql(table.table)
  const [[first, last] = []] = await session.rows(
    `SELECT CAST(MIN(${name}) AS CHAR), CAST(MAX(${name}) AS CHAR) FROM ${from}`,
  )
  const [[nulls] = []] = column.nullable
    ? await session.rows(`SELECT CAST(COUNT(*) AS CHAR) FROM ${from} WHERE ${name} IS NULL`)
    : []
  const text = (value: SqlValue | undefined): string | null => (value == null ? null : canonical(column, String(value)))
  return { low: text(first), high: text(last), nulls: BigInt(String(nulls ?? 0)) }
}

function canonical({ type }: Column, text: string): string {
  switch (type.kind) {
    case 'date':
      return date(text)
    case 'timestamp':
      return moment(text, false)
    default:
      return text
  }
}
