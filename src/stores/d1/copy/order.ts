/** Order in which rows are read page by page, and the position at the end of a page. */
import type { TableSpec } from '../../../model/copy/column-type.ts'
import type { Range } from '../../../model/copy/range.ts'
import { keyColumns, rangeCondition, type SqlCondition, type KeyDialect } from '../../common/key-ranges.ts'
import type { SqlValue } from '../../../model/run/sql-port.ts'
import { quote } from '../../common/sqlite-dialect/ddl.ts'
import { blockCondition } from './blocks.ts'
import { rowidOf, D1_SOURCE_KEYS } from './keys.ts'

export type Order = {
  /** Expressions for the position of a row, as texts; they come first in every row. */
  readonly texts: readonly string[]
  /** For ORDER BY. */
  readonly by: string
  /** Condition for the rows of the range after a position. */
  after(place: readonly string[] | null): SqlCondition
}

/** Order for paging that reads no row twice and skips none, even if keys are equal. */
export function d1PageOrder(table: TableSpec, range: Range, where: string | null, keys: KeyDialect): Order {
  const columns = keyColumns(table)
  const along =
    columns.length > 0 && range.by !== 'block' && (range.by === 'key' || columns.every(({ nullable }) => !nullable))
  const numbered = !along || !table.primary
  const rowid = numbered ? rowidOf(table) : ''
  const places = [
    ...(along
      ? columns.map((column) => ({
          name: quote(column.name),
          bound: D1_SOURCE_KEYS.bound(column),
          text: D1_SOURCE_KEYS.text(column),
        }))
      : []),
    ...(numbered ? [{ name: rowid, bound: 'CAST(? AS INTEGER)', text: `CAST(${rowid} AS TEXT)` }] : []),
  ]
  const list = (of: (place: (typeof places)[number]) => string): string => places.map(of).join(', ')
  return {
    texts: places.map(({ text }) => text),
    by: list(({ name }) => name),
    after: (place) => {
      const all = range.by === 'block' ? blockCondition(table, range, where) : rangeCondition(table, range, where, keys)
      if (place === null) return all
      const values = place.map((text, i): SqlValue => {
        const column = along ? columns[i] : undefined
        return column === undefined ? text : D1_SOURCE_KEYS.value(column, text)
      })
      const behind =
        places.length === 1
          ? `${places[0]?.name} > ${places[0]?.bound}`
          : `(${list(({ name }) => name)}) > (${list(({ bound }) => bound)})`
      return { sql: `${all.sql} AND ${behind}`, parameters: [...all.parameters, ...values] }
    },
  }
}
