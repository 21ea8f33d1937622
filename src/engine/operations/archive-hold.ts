import type { ArchiveHoldOperation } from '../archive-operations.ts'
import type { Ending, Run } from '../run-context.ts'

export async function archiveHold(_operation: ArchiveHoldOperation, _run: Run): Promise<Ending> {
  throw new Error('not yet')
}
