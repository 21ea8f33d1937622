/** Chooses the row key of a table: columns that identify its rows, and sort them by an index. */
import { floatKeyOf, type Column, type TableSpec } from '../../../model/copy/column-type.ts'
import { isSortable } from './ranges.ts'
import { groupBy } from '../../../shared/group-by.ts'

export type MysqlIndexPart = {
  readonly index: string
  /** Null for an expression. */
  readonly column: string | null
  /** True if the index holds the whole value, in order. */
  readonly whole: boolean
  readonly nullable: boolean
}

/**
 * The primary key; else a unique index: preferably one without nullable columns, and of these the one with the fewest
 * columns. Empty if there is none. Indexes on expressions, prefixes of texts, generated columns, and values that cannot
 * be compared exactly (floating point numbers) are not used.
 */
export function chooseKey(
  parts: readonly MysqlIndexPart[],
  columns: readonly Column[],
): Pick<TableSpec, 'key' | 'primary' | 'floatKey'> {
  const indexes = [...groupBy(parts, ({ index }) => index).values()]
  const usable = indexes.filter((index) => isUsable(index, columns))
  const [best] = usable.toSorted((a, b) => rank(a) - rank(b) || a.length - b.length)
  if (best === undefined) {
    const keys = indexes.map((index) => index.map(({ column }) => column ?? ''))
    return { key: [], primary: false, ...floatKeyOf(columns, keys) }
  }
  return { key: best.flatMap(({ column }) => (column === null ? [] : [column])), primary: best[0]?.index === 'PRIMARY' }
}

function isUsable(index: readonly MysqlIndexPart[], columns: readonly Column[]): boolean {
  return index.every(({ column: name, whole }) => {
    const column = columns.find((one) => one.name === name)
    return whole && column !== undefined && column.generated !== true && isSortable(column)
  })
}

function rank(index: readonly MysqlIndexPart[]): number {
  if (index[0]?.index === 'PRIMARY') return 0
  return index.some(({ nullable }) => nullable) ? 2 : 1
}
