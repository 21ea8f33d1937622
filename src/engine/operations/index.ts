/** One function an operation; each loads what it needs when it runs. */
import type { Operation } from '../operation.ts'
import type { Ending, Run } from '../run-context.ts'

/** @throws whatever the operation throws; `runOperation` turns it into the last event */
export async function perform(operation: Operation, run: Run): Promise<Ending> {
  switch (operation.kind) {
    case 'discover':
      return (await import('./discover.ts')).discover(operation, run)
    case 'import':
      return (await import('./import.ts')).importOne(operation, run)
    case 'batch-import':
      return (await import('./batch-import.ts')).batchImport(operation, run)
    case 'validate':
      return (await import('./validate.ts')).validate(operation, run)
    case 'performance-compare':
      return (await import('./compare.ts')).compare(operation, run)
    case 'migration-status':
      return (await import('./status.ts')).migrationStatus(operation, run)
    case 'runs':
      return (await import('./status.ts')).recordedRuns(operation, run)
    case 'verify-rollback':
      return (await import('./rollback.ts')).verifyRollback(operation, run)
    case 'rollback':
      return (await import('./rollback.ts')).rollback(operation, run)
    case 'history':
      return (await import('./history.ts')).history(operation, run)
    case 'files':
      return (await import('./files.ts')).files(operation, run)
    case 'changes':
      return (await import('./changes.ts')).changes(operation, run)
    case 'export-log':
      return (await import('./export-log.ts')).exportLog(operation, run)
    default:
      return unknown(operation)
  }
}

function unknown(operation: never): never {
  throw new Error(`unknown operation ${JSON.stringify(operation)}`)
}
