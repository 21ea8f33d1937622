/** Smallest and largest timestamp of a table. */
import { date, canonicalInstant } from '../../../model/copy/canonical-time.ts'
import type { Column, TableSpec } from '../../../model/copy/column-type.ts'
import type { TimeExtent } from '../../../model/archive/values-port.ts'
import type { SqlValue } from '../../../model/run/sql-port.ts'
import type { MysqlSession } from '../session.ts'
import { isNull, quoted, mysqlTableSql } from '../copy/names.ts'
import { bigintOf } from '../../common/cells.ts'

/** Zero dates such as 0000-00-00; they sort before all real dates. */
const UNREAL = /^0000|^\d{4}-00|^\d{4}-\d\d-00/
const FIRST: Readonly<Record<string, string>> = {
  date: "DATE '0001-01-01'",
  timestamp: "TIMESTAMP '0001-01-01 00:00:00'",
}

/**
 * Reads minimum and maximum from an index if there is one; NULLs are counted if the column may hold them. Days of the
 * year 0 are counted in `unreal`, and are neither minimum nor maximum.
 * @throws errors of the server
 */
export async function mysqlTimeExtent(session: MysqlSession, table: TableSpec, column: Column): Promise<TimeExtent> {
  const name = quoted(column.name)
  const from = mysqlTableSql(table.table)
  const ends = `SELECT CAST(MIN(${name}) AS CHAR), CAST(MAX(${name}) AS CHAR) FROM ${from}`
  let [found] = await session.rows(ends)
  let unreal = 0n
  const least = FIRST[column.type.kind]
  if (least !== undefined && String(found?.[0] ?? '').startsWith('0000')) {
    const [[count] = []] = await session.rows(`SELECT CAST(COUNT(*) AS CHAR) FROM ${from} WHERE ${name} < ${least}`)
    unreal = bigintOf(count)
    ;[found] = await session.rows(`${ends} WHERE ${name} >= ${least}`)
  }
  const [[nulls] = []] = column.nullable
    ? await session.rows(`SELECT CAST(COUNT(*) AS CHAR) FROM ${from} WHERE ${isNull(name)}`)
    : []
  const text = (value: SqlValue | undefined): string | null => (value == null ? null : canonical(column, String(value)))
  const extent = { low: text(found?.[0]), high: text(found?.[1]), nulls: bigintOf(nulls) }
  return unreal === 0n ? extent : { ...extent, unreal }
}

/** The last real day before a zero date: 2024-05-00 sorts after the last day of April and before all of May. */
function realText(text: string): string {
  if (!UNREAL.test(text)) return text
  const [year = 0, month = 0] = text.split('-').map(Number)
  const first = new Date(Date.UTC(2000, Math.max(month, 1) - 1, 1))
  first.setUTCFullYear(year)
  const before = new Date(first.getTime() - 86_400_000)
  return before.toISOString().slice(0, 10) + text.slice(10)
}

function canonical({ type }: Column, text: string): string {
  switch (type.kind) {
    case 'date':
      return date(realText(text))
    case 'timestamp':
      return canonicalInstant(realText(text), false)
    default:
      return text
  }
}
