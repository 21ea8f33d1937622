/** Restores rows as they were before a repair. */
import type { TablePlan } from '../../../model/copy/plan.ts'
import type { RowKey } from '../../../model/copy/row-key.ts'
import type { Row } from '../../../model/copy/rows.ts'
import { stampUntil } from './expiry.ts'
import { undoneStatement, type Expiry, undoneQuery } from '../ledger/repairs.ts'
import {
  changeTogether,
  kindsOf,
  NEVER,
  type Change,
  type ChangeResult,
  type Notes,
  type TableRepair,
} from './change.ts'

/** A row changed by repairs of one run, with its values before the first repair and after the last repair. */
export type RepairedRow = {
  readonly ids: readonly string[]
  readonly key: RowKey
  readonly before: Row | null
  readonly after: Row | null
  /** Expiry times of `before`; null if no value of it expires. */
  readonly expiry: Expiry | null
}

/**
 * Restores rows that a repair changed, if they still have the repaired values. A row that already has its old values
 * counts as restored. In a target with transactions, the transaction of the write also checks this, reads rows back,
 * and records the undo. For other targets, call `noteUndone` afterwards: the next undo repeats an undo that is not
 * recorded.
 * @returns the result per row
 */
export async function undoRepairs<U extends RepairedRow>(
  plan: TablePlan,
  undone: readonly U[],
  repair: TableRepair,
): Promise<ReadonlyMap<U, ChangeResult>> {
  const isNoted = repair.to.can.atomic === 'chunk'
  const rows = new Map<Change, U>()
  const now = Date.now()
  // Of rows that are written together, either all must have write times or none.
  const isTimed = undone.some(({ expiry }) => expiry !== null)
  for (const one of undone) {
    const { key, before, after, expiry } = one
    const text = JSON.stringify(key)
    const stamp = isTimed && before !== null ? stampUntil(before, expiry, now) : undefined
    rows.set({ text, key, before: after, after: before, stamp, source: null, mayBeDone: true }, one)
  }
  const notesOf = (some: readonly Change[]): Notes => {
    const ids = some.flatMap((one) => rows.get(one)?.ids ?? [])
    const statements = isNoted ? ids.map((id) => undoneStatement(repair.database, id)) : []
    return { statements, storedGuard: isNoted ? undoneQuery(ids[0] ?? '') : NEVER }
  }
  const results = new Map<U, ChangeResult>()
  const kinds = kindsOf([...rows.keys()])
  const isRemoval = ([one]: readonly Change[]): boolean => one?.after === null
  // Removals first: a row to be removed may have the key, or a unique value, of a row that is inserted again.
  for (const some of [...kinds.filter(isRemoval), ...kinds.filter((kind) => !isRemoval(kind))]) {
    for (const [change, result] of await changeTogether(plan, some, notesOf, repair)) {
      const one = rows.get(change)
      if (one !== undefined) results.set(one, result)
    }
  }
  return results
}

/**
 * Records that rows are restored. Does nothing for a target with transactions, because `undoRepairs` has recorded it.
 */
export async function noteUndone(
  undone: readonly RepairedRow[],
  { to, database }: Pick<TableRepair, 'to' | 'database'>,
): Promise<void> {
  if (to.can.atomic === 'chunk' || undone.length === 0) return
  await database.batch(undone.flatMap(({ ids }) => ids.map((id) => undoneStatement(database, id))))
}
