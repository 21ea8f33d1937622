/** A copy, as itself or as the parallel script for Cassandra goes about it. */
import type { Ending } from '../../../run/run-context.ts'
import type { CopyRun } from '../../copy-run.ts'
import type { CopyOperation } from './declaration.ts'

export async function startCopy(operation: CopyOperation, run: CopyRun): Promise<Ending> {
  return operation.script === undefined || operation.dryRun
    ? (await import('./perform.ts')).copy(operation, run)
    : (await import('./script-copy.ts')).scriptCopy(operation, run)
}
