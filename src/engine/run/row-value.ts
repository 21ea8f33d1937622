import { bytesText } from '../../model/copy/bytes-text.ts'
import type { RowValue } from '../../model/run/event.ts'
import type { QueryPage, SqlRow, SqlValue } from '../../model/run/sql-port.ts'

/** A value of a query result as JSON. Values that JSON would round or cannot hold become texts, such as -0 and NaN. */
function rowValue(value: SqlValue): RowValue {
  if (typeof value === 'bigint') return value.toString()
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : Number.isFinite(value) ? value : String(value)
  return value instanceof Uint8Array ? bytesText(value) : value
}

/** Positions of columns that the database declares as booleans; drivers return them as 1 and 0. */
export function booleansOf(types: QueryPage['types']): ReadonlySet<number> {
  return new Set((types ?? []).flatMap((type, i) => (type === 'boolean' ? [i] : [])))
}

/** A row of a query result as JSON. @param booleans positions of columns whose 1 and 0 are true and false */
export function rowValues(row: SqlRow, booleans: ReadonlySet<number>): readonly RowValue[] {
  return row.map((value, i) => (booleans.has(i) && value !== null ? value === 1 : rowValue(value)))
}

/** A row of a query result for a grid of texts, with booleans as the database prints them. */
export function gridRow(row: SqlRow, booleans: ReadonlySet<number>): SqlRow {
  return row.map((value, i) => (booleans.has(i) && value !== null ? String(value === 1) : value))
}
