/** Plans the copy of a stream: of an existing stream, or of a new one for its preflight check. */
import type { CopyStore } from '../../../model/copy/port.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import type { CopyOperation } from '../operations/copy/declaration.ts'
import { begunPlans } from '../ledger/begun-plans.ts'
import { SourceViews } from '../source-views.ts'
import { asStarted, planCopy, type PlannedCopy, type Planner } from './plan-copy.ts'

/** @property begun ledger with the plans of the started copy; null before the start */
type StreamStores = { readonly from: CopyStore; readonly to: CopyStore; readonly begun: LedgerDatabase | null }

/**
 * Plans the copy of a stream. Queries each server once if the current plan is the stored plan, and closes the read view
 * of the source before it returns.
 * @param followed names of the stream's source tables
 * @throws SluiceError errors of planCopy, and the error of the first table that cannot be planned
 */
export async function planFollowed(
  operation: CopyOperation,
  { from, to, begun }: StreamStores,
  followed: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<PlannedCopy> {
  await using views = new SourceViews(from, signal)
  const planner: Planner = { views, again: (body) => body(), signal, followed }
  const today = await planCopy(operation, from, to, planner)
  const planned = begun === null ? today : await asStarted(today, operation, planner, begunPlans(begun))
  for (const { error } of planned.tables) if (error !== null) throw error
  return planned
}
