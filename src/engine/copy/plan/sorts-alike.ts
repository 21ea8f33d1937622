/** Whether a range of keys of the source is one of the target. */
import type { TableSpec } from '../../../model/copy/column-type.ts'
import type { ColumnPlan } from '../../../model/copy/plan.ts'

/** Texts may follow the rules of a language on one side, and a type that became another one may sort in another way. */
export function sortAlike(source: TableSpec, target: TableSpec, columns: readonly ColumnPlan[]): boolean {
  // Bounds of ranges know nothing of columns that are made on the way.
  const cutting = source.ring === undefined ? source.key : source.key.slice(0, source.ring.columns)
  if (source.columns.some(({ name, made }) => made !== undefined && cutting.includes(name))) return false
  if (source.ring !== undefined || target.ring !== undefined) return sameRing(source, target, columns)
  return source.key.every((name) => {
    const column = columns.find(({ from }) => from === name)
    if (column === undefined || column.source.collation !== column.target.collation) return false
    if (column.source.asText !== column.target.asText) return false
    const [a, b] = [column.source.type.kind, column.target.type.kind]
    return a === b && a !== 'native' && a !== 'json' && a !== 'list'
  })
}

/** Whether equal rows have equal tokens on both sides. */
function sameRing(source: TableSpec, target: TableSpec, columns: readonly ColumnPlan[]): boolean {
  const { ring } = source
  if (ring === undefined || target.ring?.partitioner !== ring.partitioner || target.ring.columns !== ring.columns)
    return false
  return source.key.slice(0, ring.columns).every((name, at) => {
    const column = columns.find(({ from }) => from === name)
    return column !== undefined && column.to === target.key[at] && column.source.native === column.target.native
  })
}
