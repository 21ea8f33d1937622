import type { ArchiveOperation } from '../archive-operations.ts'
import type { Ending, Run } from '../run-context.ts'

export async function archive(_operation: ArchiveOperation, _run: Run): Promise<Ending> {
  throw new Error('not yet')
}
