/** Periods of time in the SQL of PostgreSQL. */
import type { Column, ColumnType, TableSpec } from '../../../model/copy/column-type.ts'
import { betweenBounds, dayBound, timestampBound, wholeBound } from '../../common/time-bounds.ts'
import { quoteName } from '../server/connect.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { TimeExtent } from '../../../model/archive/values-port.ts'
import { missingTable, findRelation } from '../server/relation.ts'
import type { CopySession, TextRow } from '../server/session.ts'
import { tableFromSql } from '../server/sql.ts'

/** As `Times.condition`. */
export function postgresTimeCondition({ name, type }: Column, from: string | null, to: string | null): string | null {
  const column = quoteName(name)
  switch (type.kind) {
    case 'date':
    case 'timestamp':
      return betweenBounds(column, from, to, (bound) => timeLiteral(type, bound))
    case 'int':
      return betweenBounds(column, from, to, wholeBound)
    default:
      return null
  }
}

/**
 * A date or a timestamp, in UTC, as a literal of its type.
 * @throws SluiceError VALUE_REFUSED if the text is no such value
 */
export function timeLiteral(type: Extract<ColumnType, { kind: 'date' | 'timestamp' }>, text: string): string {
  const name = type.kind === 'date' ? 'DATE' : type.zone ? 'TIMESTAMPTZ' : 'TIMESTAMP'
  // Values of their own, and bounds of native partitions: MAXVALUE is beyond 'infinity'.
  if (/^-?infinity$/.test(text)) return `${name} '${text}'`
  if (type.kind === 'date') return `DATE '${dayBound(text)}'`
  // The zone precedes the era.
  return `${name} '${timestampBound(text).replace(/(?= BC$)|$/, type.zone ? '+00' : '')}'`
}

/** First day of the year 1: a literal for dates, and for timestamps in the session's zone. */
const FIRST = "'0001-01-01'"

/**
 * Smallest and largest value, by an index if there is one, and the number of NULLs if the column may hold them. Values
 * before the year 1 are counted, but are not the smallest.
 * @throws SluiceError SOURCE_GONE; errors of the server
 */
export async function postgresTimeExtent(session: CopySession, table: TableSpec, column: Column): Promise<TimeExtent> {
  const ask = (sql: string): Promise<readonly TextRow[]> => session.ask(sql)
  const relation = await findRelation(table.table, ask)
  if (relation === null)
    throw new SluiceError('SOURCE_GONE', missingTable(table.table), { hint: 'run the same command again' })
  const from = tableFromSql(relation)
  const name = quoteName(column.name)
  const zone = column.type.kind === 'timestamp' && column.type.zone
  const text = (end: string): string => (zone ? `(${end} AT TIME ZONE 'UTC')::text` : `${end}::text`)
  const ends = `SELECT ${text(`pg_catalog.min(${name})`)}, ${text(`pg_catalog.max(${name})`)} FROM ${from}`
  let [[low = null, high = null] = []] = await ask(ends)
  let unreal = 0n
  if (low?.endsWith('BC') === true || low === '-infinity') {
    const [[count] = []] = await ask(`SELECT count(*) FROM ${from} WHERE ${name} < ${FIRST}`)
    unreal = BigInt(count ?? 0)
    ;[[low = null, high = null] = []] = await ask(`${ends} WHERE ${name} >= ${FIRST}`)
  }
  const [[nulls] = []] = column.nullable ? await ask(`SELECT count(*) FROM ${from} WHERE ${name} IS NULL`) : []
  const extent = { low, high, nulls: BigInt(nulls ?? 0) }
  return unreal === 0n ? extent : { ...extent, unreal }
}
