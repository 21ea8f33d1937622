/** The plan of a copy whose stream is there already, or is looked at before it is made. */
import type { CopyStore } from '../../../stores/copy-port.ts'
import type { CopyOperation } from '../../operation.ts'
import { Views } from '../views.ts'
import { planCopy, type PlannedCopy } from './plan-copy.ts'

/**
 * Asks each server once, and holds no view of the source when it returns.
 * @param followed names of the source tables of the stream
 * @throws SluiceError what planCopy throws, and what keeps the first of its tables from being planned
 */
export async function planFollowed(
  operation: CopyOperation,
  { from, to }: { readonly from: CopyStore; readonly to: CopyStore },
  followed: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<PlannedCopy> {
  await using views = new Views(from, signal)
  const planned = await planCopy(operation, from, to, { views, again: (body) => body(), signal, followed })
  for (const { error } of planned.tables) if (error !== null) throw error
  return planned
}
