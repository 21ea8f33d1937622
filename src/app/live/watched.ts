/** Decides which runs can be watched. */
import { declarationOf, isPlanOnly } from '../operations/facts.ts'
import type { Operation } from '../operations/list.ts'

/** True if a run of the operation reports progress: the run can be watched, and started in the background. */
export function isWatched(operation: Operation): boolean {
  const { display } = declarationOf(operation.kind)
  return (display === 'long' || display === 'lines') && !isPlanOnly(operation)
}
