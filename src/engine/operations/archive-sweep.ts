import type { ArchiveSweepOperation } from '../archive-operations.ts'
import type { Ending, Run } from '../run-context.ts'

export async function archiveSweep(_operation: ArchiveSweepOperation, _run: Run): Promise<Ending> {
  throw new Error('not yet')
}
