import type { ArchiveVerifyOperation } from '../archive-operations.ts'
import type { Ending, Run } from '../run-context.ts'

export async function archiveVerify(_operation: ArchiveVerifyOperation, _run: Run): Promise<Ending> {
  throw new Error('not yet')
}
