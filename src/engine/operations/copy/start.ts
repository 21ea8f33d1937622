/** A copy, as itself or as the parallel script for Cassandra goes about it. */
import type { Ending, Run } from '../../run-context.ts'
import type { CopyOperation } from './declaration.ts'

export async function startCopy(operation: CopyOperation, run: Run): Promise<Ending> {
  return operation.script === undefined || operation.dryRun
    ? (await import('./perform.ts')).copy(operation, run)
    : (await import('./script-copy.ts')).scriptCopy(operation, run)
}
