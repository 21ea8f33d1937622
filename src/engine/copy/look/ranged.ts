/** Whether the rows of a chunk can be counted in the target by the chunk's own range. */
import type { TablePlan } from '../../../model/copy/plan.ts'

/** Decimals that are texts in one of two systems sort differently there. */
export function isRanged({ cut, sortsAlike, source, columns }: TablePlan): boolean {
  if (cut !== 'key' || !sortsAlike) return false
  if (source.ring !== undefined) return true
  return source.key.every((name) => {
    const column = columns.find(({ from }) => from === name)
    return column?.as.kind !== 'decimal' || column.source.native === column.target.native
  })
}
