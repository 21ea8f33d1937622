/** Decides whether the rows of a chunk can be counted in the target. */
import type { TablePlan } from '../../../model/copy/plan.ts'
import type { StoreAbilities } from '../../../model/copy/abilities.ts'

/**
 * True if the rows of a chunk can be counted in the target by the chunk's own range. False also if a decimal of the key
 * has another native type in the target: the target may store it as text, which sorts differently.
 */
export function isRanged({ cut, sortsAlike, source, columns }: TablePlan): boolean {
  if (cut !== 'key' || !sortsAlike) return false
  if (source.ring !== undefined) return true
  return source.key.every((name) => {
    const column = columns.find(({ from }) => from === name)
    return column?.as.kind !== 'decimal' || column.source.native === column.target.native
  })
}

/**
 * Text that explains why a table for which `isRanged` is false cannot be counted by chunk. @param atomic of the target;
 * `row`: rows are placed by the hash of their key
 */
export function wholeReason({ cut, source, target }: TablePlan, { atomic }: Pick<StoreAbilities, 'atomic'>): string {
  const why = 'so that the rows of a chunk cannot be counted there'
  if (cut !== 'key') return `the table has no key by which its chunks could be found in the target, ${why}`
  if (source.ring !== undefined) {
    return target.ring === undefined
      ? `chunks are ranges of tokens, which the target does not have, ${why}`
      : `rows have other tokens in the target than in the source, ${why}`
  }
  return atomic === 'row'
    ? `chunks are ranges of keys, and the target keeps rows by the hash of their key, ${why}`
    : `the target sorts the key in another way than the source, ${why}`
}
