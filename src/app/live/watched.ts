/** Which runs others can watch. */
import { declarationOf, isPlanOnly } from '../operations/facts.ts'
import type { Operation } from '../operations/list.ts'

/** Whether a run of it tells what it does while it does it: others can watch it, and it can go on in the background. */
export function isWatched(operation: Operation): boolean {
  const { shape } = declarationOf(operation.kind)
  return (shape === 'long' || shape === 'lines') && !isPlanOnly(operation)
}
