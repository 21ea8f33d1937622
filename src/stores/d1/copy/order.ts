/** Order in which rows are read page by page, and the position at the end of a page. */
import { hexDigits } from '../../../model/copy/bytes-text.ts'
import type { TableSpec } from '../../../model/copy/column-type.ts'
import type { Range } from '../../../model/copy/range.ts'
import { keyColumns, rangeCondition, type SqlCondition, type KeyDialect } from '../../common/key-ranges.ts'
import { quote } from '../../common/sqlite-dialect/ddl.ts'
import type { D1Row, D1Value } from '../client.ts'
import { blockCondition } from './blocks.ts'
import { rowidOf } from './keys.ts'
import { placeSql } from './select.ts'

export type Order = {
  /** Expressions for the position of a row, which is unique: the first columns of every row that is read. */
  readonly places: readonly string[]
  /** The ORDER BY list. */
  readonly by: string
  /** Condition for the rows of the range after a position. */
  after(place: D1Row | null): SqlCondition
}

/** Order for paging that reads no row twice and skips none, even if keys are equal. */
export function d1PageOrder(table: TableSpec, range: Range, where: string | null, keys: KeyDialect): Order {
  const columns = keyColumns(table)
  const along =
    columns.length > 0 && range.by !== 'block' && (range.by === 'key' || columns.every(({ nullable }) => !nullable))
  const numbered = !along || !table.primary
  const names = [...(along ? columns.map(({ name }) => quote(name)) : []), ...(numbered ? [rowidOf(table)] : [])]
  return {
    places: names.map(placeSql),
    by: names.join(', '),
    after: (place) => {
      const all = range.by === 'block' ? blockCondition(table, range, where) : rangeCondition(table, range, where, keys)
      if (place === null) return all
      const bounds = place.map(boundOf)
      const list = bounds.map(({ sql }) => sql).join(', ')
      const behind = names.length === 1 ? `${names[0]} > ${list}` : `(${names.join(', ')}) > (${list})`
      return {
        sql: `${all.sql} AND ${behind}`,
        parameters: [...all.parameters, ...bounds.flatMap(({ parameters }) => parameters)],
      }
    },
  }
}

/**
 * SQL of a value of `placeSql`, in its storage class. The `+` removes the affinity that a CAST has: otherwise SQLite
 * would convert the column for the comparison.
 */
function boundOf(value: D1Value): SqlCondition {
  if (value === null) throw new Error('the position of a row has no value')
  if (typeof value === 'number') return { sql: '?', parameters: [value] }
  if (typeof value === 'object') return { sql: 'unhex(?)', parameters: [hexDigits(Uint8Array.from(value))] }
  const rest = value.slice(1)
  switch (value[0]) {
    case 'i':
      return { sql: '+CAST(? AS INTEGER)', parameters: [rest] }
    case 'h':
      return { sql: '+CAST(unhex(?) AS TEXT)', parameters: [rest] }
    case 'b':
      return { sql: 'unhex(?)', parameters: [rest] }
    case 'r':
      return { sql: rest.startsWith('-') ? '-9e999' : '9e999', parameters: [] }
    default:
      return { sql: '?', parameters: [rest] }
  }
}
