/** Tests whether a key range of the source selects the same rows in a target, which may sort differently. */
import type { Column, ColumnType } from '../../model/copy/column-type.ts'
import type { ChunkRequest } from '../../model/copy/target-port.ts'
import { keyColumns } from './key-ranges.ts'

/** Kinds with the same sort order in every system. Texts are missing: their order depends on a collation. */
const SAME_ORDER: ReadonlySet<ColumnType['kind']> = new Set([
  'int',
  'decimal',
  'bool',
  'bytes',
  'uuid',
  'date',
  'time',
  'timestamp',
])

/**
 * True if the range has the same rows in the target. False for blocks, which exist only in the source.
 * @param keepsOrder true if the target's column sorts values of this kind as all systems do
 */
export function rangeMeansTheSame(
  request: Pick<ChunkRequest, 'table' | 'columns' | 'range' | 'sortsAlike'>,
  keepsOrder: (kind: ColumnType['kind'], column: Column) => boolean,
): boolean {
  const { table, range, sortsAlike } = request
  if (range.by === 'all') return true
  if (table.key.length === 0 || range.by === 'block') return false
  if (range.by === 'keys' || range.by === 'nullKey') return true
  // Also false if the target sorts keys differently, such as by the tokens of a ring.
  if (sortsAlike === false) return false
  const typeOf = typesOf(request)
  return keyColumns(table).every((column) => {
    const { kind } = typeOf(column)
    return SAME_ORDER.has(kind) && keepsOrder(kind, column)
  })
}

/** Types in which values are transferred into the columns of a target. */
export function typesOf({ columns }: Pick<ChunkRequest, 'columns'>): (column: Column) => ColumnType {
  return (column) => columns.find(({ name }) => name === column.name)?.as ?? column.type
}
