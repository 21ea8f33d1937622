import type { QueryOperation } from '../archive-operations.ts'
import type { Ending, Run } from '../run-context.ts'

export async function query(_operation: QueryOperation, _run: Run): Promise<Ending> {
  throw new Error('not yet')
}
