/** The plan of a copy whose stream is there already, or is looked at before it is made. */
import type { CopyStore, LedgerDatabase } from '../../../model/copy/port.ts'
import type { CopyOperation } from '../operations/copy/declaration.ts'
import { begunPlans } from '../ledger/begun-plans.ts'
import { Views } from '../source-views.ts'
import { asBegun, planCopy, type PlannedCopy, type Planner } from './plan-copy.ts'

/** @property begun the ledger in which the copy was begun, whose plans it keeps; null before it is */
type Ends = { readonly from: CopyStore; readonly to: CopyStore; readonly begun: LedgerDatabase | null }

/**
 * Asks each server once where the plan of today is the one that was begun, and holds no view of the source when it returns.
 * @param followed names of the source tables of the stream
 * @throws SluiceError what planCopy throws, and what keeps the first of its tables from being planned
 */
export async function planFollowed(
  operation: CopyOperation,
  { from, to, begun }: Ends,
  followed: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<PlannedCopy> {
  await using views = new Views(from, signal)
  const planner: Planner = { views, again: (body) => body(), signal, followed }
  const today = await planCopy(operation, from, to, planner)
  const planned = begun === null ? today : await asBegun(today, operation, planner, begunPlans(begun))
  for (const { error } of planned.tables) if (error !== null) throw error
  return planned
}
