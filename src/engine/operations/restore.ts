import type { RestoreOperation } from '../archive-operations.ts'
import type { Ending, Run } from '../run-context.ts'

export async function restore(_operation: RestoreOperation, _run: Run): Promise<Ending> {
  throw new Error('not yet')
}
