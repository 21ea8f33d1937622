/** Starts a copy: an ordinary one, or one that works like the parallel script for Cassandra. */
import type { Ending } from '../../../run/run-context.ts'
import type { Companion } from '../../companion.ts'
import type { CopyRun } from '../../copy-run.ts'
import type { CopyOperation } from './declaration.ts'

/** @param companion null for a copy without a stream @throws as `copy` */
export async function startCopy(operation: CopyOperation, run: CopyRun, companion: Companion | null): Promise<Ending> {
  return operation.script === undefined || operation.dryRun
    ? (await import('./perform.ts')).performCopy(operation, run, companion)
    : (await import('./script-copy.ts')).scriptCopy(operation, run, companion)
}
