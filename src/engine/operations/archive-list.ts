import type { ArchiveListOperation } from '../archive-operations.ts'
import type { Ending, Run } from '../run-context.ts'

export async function archiveList(_operation: ArchiveListOperation, _run: Run): Promise<Ending> {
  throw new Error('not yet')
}
